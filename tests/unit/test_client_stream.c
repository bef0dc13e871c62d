/* SPDX-License-Identifier: BSD-3-Clause */
/* sluicectl's streams against daemons that answer well, in pieces, or badly. */
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

/* One connection: read until the request's envelope is there, answer byte by byte or at once. */
static void be_daemon(int listener, const char *answer, size_t len, size_t piece)
{
	static const char wanted[] = "\r\n\r\n\0\0\0\0\2{}";
	char request[4096];
	size_t have = 0;
	int fd = accept(listener, NULL, NULL);

	signal(SIGPIPE, SIG_IGN);
	while (!memmem(request, have, wanted, sizeof(wanted) - 1)) {
		ssize_t n = read(fd, request + have, sizeof(request) - have);

		if (n <= 0)
			_exit(1);
		have += (size_t)n;
	}
	for (size_t done = 0; done < len; done += piece)
		if (write(fd, answer + done, done + piece < len ? piece : len - done) < 0)
			break;
	_exit(0);
}

/* The messages' numbers, as digits. */
struct seen {
	char text[64];
	size_t enough;
};

static bool see(void *context, json_t *message)
{
	struct seen *seen = context;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%lld",
		 (long long)json_integer_value(json_object_get(message, "n")));
	json_decref(message);
	return len + 1 < seen->enough;
}

/* Call a daemon that answers so; the exit code. */
static int watch(const char *answer, size_t len, size_t piece, struct seen *seen,
		 struct rpc_failure *why)
{
	const struct client client = {.socket = path};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status, result;
	pid_t pid;

	snprintf(path, sizeof(path), "/tmp/sluice-stream-%d", (int)getpid());
	strcpy(addr.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	if (pid == 0)
		be_daemon(fd, answer, len, piece);
	close(fd);
	result = rpc_stream(&client, "StatsService", "WatchStats", json_object(), see, seen, why);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	unlink(path);
	return result;
}

#define HEAD \
	"HTTP/1.1 200 OK\r\nContent-Type: application/connect+json\r\nConnection: close\r\n\r\n"
#define ONE      "\0\0\0\0\7{\"n\":1}"
#define TWO      "\0\0\0\0\7{\"n\":2}"
#define THE_END  "\2\0\0\0\2{}"
#define AN_ERROR "\2\0\0\0\x33{\"error\":{\"code\":\"not_found\",\"message\":\"no token\"}}"

struct answer {
	const char *bytes;
	size_t len;
	const char *seen;
	int exit_code;
	const char *words;
};

#define ANSWER(text, ...)                           \
	{                                           \
		text, sizeof(text) - 1, __VA_ARGS__ \
	}

static const struct answer answers[] = {
	ANSWER(HEAD THE_END, "", CLIENT_OK, ""),
	ANSWER(HEAD ONE TWO THE_END, "12", CLIENT_OK, ""),
	ANSWER(HEAD ONE AN_ERROR, "1", CLIENT_REFUSED, "no token"),
	ANSWER(HEAD ONE, "1", CLIENT_UNREACHABLE, "ended the connection"),
	ANSWER(HEAD ONE "\0\0\0", "1", CLIENT_UNREACHABLE, "ended the connection"),
	ANSWER(HEAD ONE "\1\0\0\0\2{}" TWO, "1", CLIENT_UNREACHABLE, "not `sluice ctrl`"),
	ANSWER(HEAD "\0\0\0\0\2[]", "", CLIENT_UNREACHABLE, "not `sluice ctrl`"),
	ANSWER(HEAD "\0\xff\xff\xff\xff{}", "", CLIENT_UNREACHABLE, "too big"),
	ANSWER("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"
	       "{\"code\":\"unimplemented\",\"message\":\"no such method\"}",
	       "", CLIENT_REFUSED, "no such method"),
	ANSWER("HTTP/1.1 502 Bad\r\nConnection: close\r\n\r\n<p/>", "", CLIENT_UNREACHABLE, "502"),
};

/* At once, and in pieces that split whatever can be. */
static void test_answers(void **state)
{
	static const size_t pieces[] = {1 << 20, 7, 1};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		for (int p = 0; p < 3; p++) {
			const struct answer *a = &answers[i];
			struct seen seen = {.enough = 10};
			struct rpc_failure why;
			int code = watch(a->bytes, a->len, pieces[p], &seen, &why);

			if (code != a->exit_code || strcmp(seen.text, a->seen) != 0 ||
			    !strstr(why.message, a->words))
				fail_msg("answer %zu in pieces of %zu: exit code %d, seen '%s', "
					 "'%s'",
					 i, pieces[p], code, seen.text, why.message);
		}
	}
}

static void test_enough(void **state)
{
	static const char answer[] = HEAD ONE TWO ONE THE_END;
	struct seen seen = {.enough = 2};
	struct rpc_failure why;

	(void)state;
	assert_int_equal(watch(answer, sizeof(answer) - 1, 1 << 20, &seen, &why), CLIENT_OK);
	assert_string_equal(seen.text, "12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
