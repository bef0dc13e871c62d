/* SPDX-License-Identifier: BSD-3-Clause */
/* sluicectl's calls against daemons that answer well, badly, late or not at all. */
#include "ctrl/client/rpc.h"

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

static char path[64];
static pid_t daemon_pid;

/* One connection: read up to the end of the header, answer, linger for `linger` seconds. */
static void be_daemon(int listener, const char *answer, unsigned int linger)
{
	char request[4096] = "";
	size_t len = 0;
	int fd = accept(listener, NULL, NULL);

	while (len < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
		ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
		request[len] = '\0';
	}
	if (!strstr(request, "POST /sluice.v1.StatsService/GetStats HTTP/1.1\r\n") ||
	    !strstr(request, "Connect-Protocol-Version: 1\r\n") ||
	    !strstr(request, "Content-Type: application/json\r\n") ||
	    !strstr(request, "Connect-Timeout-Ms: "))
		_exit(1);
	/* In two pieces, as a network might; the client may not want the second. */
	signal(SIGPIPE, SIG_IGN);
	if (write(fd, answer, strlen(answer) / 2) > 0)
		usleep(10000);
	answer += strlen(answer) / 2;
	if (write(fd, answer, strlen(answer)) > 0)
		sleep(linger);
	_exit(0);
}

static void start_daemon(const char *answer, unsigned int linger)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, sizeof(path), "/tmp/sluice-rpc-%d", (int)getpid());
	strcpy(addr.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	daemon_pid = fork();
	if (daemon_pid == 0)
		be_daemon(fd, answer, linger);
	close(fd);
}

/* The daemon has to have seen the request that it wanted, unless it was too slow for us. */
static void end_daemon(bool deaf)
{
	int status;

	if (deaf)
		kill(daemon_pid, SIGKILL);
	assert_int_equal(waitpid(daemon_pid, &status, 0), daemon_pid);
	assert_true(deaf || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	unlink(path);
}

static int call(unsigned int timeout_ms, json_t **reply, struct rpc_failure *why)
{
	const struct client client = {.socket = path, .timeout_ms = timeout_ms};

	return rpc_call(&client, "StatsService", "GetStats", json_object(), reply, why);
}

/* This answer leads to this exit code, and a message with these words. */
static void expect(const char *answer, int exit_code, const char *code, const char *words)
{
	struct rpc_failure why;
	json_t *reply;

	start_daemon(answer, 0);
	assert_int_equal(call(5000, &reply, &why), exit_code);
	assert_string_equal(why.code, code);
	if (!strstr(why.message, words))
		fail_msg("wanted '%s' in '%s'", words, why.message);
	assert_null(reply);
	end_daemon(false);
}

/* The same for a JSON body. */
static void expect_json(const char *status, const char *body, int exit_code, const char *code,
			const char *words)
{
	char answer[512];

	snprintf(answer, sizeof(answer),
		 "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 status, strlen(body), body);
	expect(answer, exit_code, code, words);
}

static void test_answer(void **state)
{
	struct rpc_failure why;
	json_t *reply;

	(void)state;
	start_daemon("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"revision\":7}", 0);
	assert_int_equal(call(5000, &reply, &why), CLIENT_OK);
	assert_int_equal(json_integer_value(json_object_get(reply, "revision")), 7);
	json_decref(reply);
	end_daemon(false);

	start_daemon("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		     0);
	assert_int_equal(call(5000, &reply, &why), CLIENT_OK);
	json_decref(reply);
	end_daemon(false);
}

static void test_refusals(void **state)
{
	(void)state;
	expect_json("404 Not Found", "{\"code\":\"not_found\",\"message\":\"no web\"}",
		    CLIENT_REFUSED, "not_found", "no web");
	expect_json("409 Conflict", "{\"code\":\"aborted\"}", CLIENT_REFUSED, "aborted", "aborted");
	expect_json("504 Gateway Timeout", "{\"code\":\"deadline_exceeded\",\"message\":\"w\"}",
		    CLIENT_DEADLINE, "deadline_exceeded", "w");
}

static void test_not_our_daemon(void **state)
{
	(void)state;
	expect_json("502 Bad Gateway", "<p/>", CLIENT_UNREACHABLE, "", "502");
	expect_json("200 OK", "<p/>", CLIENT_UNREACHABLE, "", "not a JSON object");
	expect_json("200 OK", "[]", CLIENT_UNREACHABLE, "", "not a JSON object");
	expect_json("200 OK", "", CLIENT_UNREACHABLE, "", "not a JSON object");
	expect("SSH-2.0-OpenSSH_9.2\r\n", CLIENT_UNREACHABLE, "", "not `sluice ctrl`");
	expect("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", CLIENT_UNREACHABLE, "",
	       "ended the connection");
	expect("", CLIENT_UNREACHABLE, "", "ended the connection");
}

static void test_too_late(void **state)
{
	struct rpc_failure why;
	json_t *reply;

	(void)state;
	start_daemon("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", 30);
	assert_int_equal(call(100, &reply, &why), CLIENT_DEADLINE);
	assert_string_equal(why.code, "deadline_exceeded");
	end_daemon(true);
}

static void test_nobody_there(void **state)
{
	struct rpc_failure why;
	json_t *reply;

	(void)state;
	strcpy(path, "/nonexistent/ctrl.sock");
	assert_int_equal(call(1000, &reply, &why), CLIENT_UNREACHABLE);
	assert_non_null(strstr(why.message, "No such file or directory"));
	assert_non_null(strstr(why.message, "sluice ctrl"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),         cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_not_our_daemon), cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
