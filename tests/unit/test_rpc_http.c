/* SPDX-License-Identifier: BSD-3-Clause */
/* The HTTP server: framing, limits in size, number and time, clients that leave. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "ctrl/rpc/http.h"
#include "ctrl/rpc/unix_socket.h"
#include "tests/unit/lib/http_client.h"

#define BODY_MAX 100000

static struct event_base *base;
static struct http_server *server;
static struct rpc_budget budget;
static char path[64];

/* What the handler saw; an "/later" target is answered by the test. */
static struct {
	unsigned int requests;
	unsigned int gone;
	struct http_conn *waiting;
} seen;

/* Answers the body's length and last bytes. */
static void on_request(struct http_conn *conn, void *arg)
{
	struct evbuffer *body = http_conn_body(conn), *reply = http_conn_reply(conn);

	(void)arg;
	seen.requests++;
	if (!strcmp(http_conn_head(conn)->target, "/later")) {
		seen.waiting = conn;
		return;
	}
	evbuffer_add_printf(reply, "%zu:", evbuffer_get_length(body));
	evbuffer_add_buffer(reply, body);
	http_reply(conn, 200, "");
}

static void on_refused(struct http_conn *conn, int status, const char *why, void *arg)
{
	(void)arg;
	evbuffer_add_printf(http_conn_reply(conn), "refused: %s", why);
	http_reply(conn, status, "");
}

static void on_gone(struct http_conn *conn, void *arg)
{
	(void)arg;
	assert_ptr_equal(conn, seen.waiting);
	seen.gone++;
	seen.waiting = NULL;
}

static int set_up(void **state)
{
	const struct http_limits limits = {
		.connections = 3,
		.body = BODY_MAX,
		.idle = 1,
		.head = 1,
		.body_s = 1,
		.reply = 2,
	};
	const struct http_handler handler = {on_request, on_refused, on_gone, NULL};

	(void)state;
	memset(&seen, 0, sizeof(seen));
	budget.left = 2 * BODY_MAX;
	base = event_base_new();
	snprintf(path, sizeof(path), "/tmp/test-http-%d.sock", getpid());
	server = http_server_new(base, unix_socket_listen(path, 0660), &limits, &budget, &handler);
	return server ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	http_server_free(server);
	event_base_free(base);
	unlink(path);
	return budget.left == 2 * BODY_MAX ? 0 : -1;
}

static int begin(const char *text)
{
	int fd = client_connect(path);

	client_send(base, fd, text, strlen(text));
	return fd;
}

/* What the server answers to these bytes on a connection of their own. */
static const char *exchange(const char *text, const char *until)
{
	int fd = begin(text);
	const char *got = client_receive(base, fd, until, 500);

	close(fd);
	client_pass(base, 3);
	return got;
}

#define HOST "Host: x\r\n"

static void frames_requests(void **state)
{
	static const struct {
		const char *request;
		const char *reply; /* how it ends */
	} cases[] = {
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", "\r\n\r\n3:abc"},
		{"GET / HTTP/1.1\r\nhost:x\r\n\r\n", "\r\n\r\n0:"},
		{"GET / HTTP/1.0\r\n\r\n", "\r\n\r\n0:"},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		 "3\r\nabc\r\n00a;x=y\r\n0123456789\r\n0\r\n\r\n",
		 "13:abc0123456789"},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		 "1\r\na\r\n0\r\nTrailer: x\r\n\r\n",
		 "1:a"},
		/* One after the other, sent together. */
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na"
		 "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nbc",
		 "2:bc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = exchange(cases[i].request, cases[i].reply);

		assert_int_equal(strncmp(got, "HTTP/1.1 200 OK\r\n", 17), 0);
		assert_string_equal(got + strlen(got) - strlen(cases[i].reply), cases[i].reply);
	}
}

static void refuses_bad_requests(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{"nonsense\r\n\r\n", 400},
		{" / HTTP/1.1\r\n" HOST "\r\n", 400},
		{"GET  HTTP/1.1\r\n" HOST "\r\n", 400},
		{"GET / HTTP/1.1 \r\n" HOST "\r\n", 505},
		{"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
		{"GET / FTP/1.1\r\n" HOST "\r\n", 400},
		{"G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST "A: b\r\n folded\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST "A: b\nC: d\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n" HOST "Expect: more\r\n\r\n", 417},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\na", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\na", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 100001\r\n\r\n", 413},
		{"POST / HTTP/1.1\r\n" HOST
		 "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
		 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST
		 "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
		 400},
	};
	char expected[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = exchange(cases[i].request, "refused");

		snprintf(expected, sizeof(expected), "HTTP/1.1 %d ", cases[i].status);
		assert_int_equal(strncmp(got, expected, strlen(expected)), 0);
		assert_non_null(strstr(got, "Connection: close\r\n"));
	}
	assert_int_equal(seen.requests, 0);
}

static void bounds_sizes(void **state)
{
	static char big[300000];
	int n, fd;

	(void)state;
	/* Header fields without end. */
	n = snprintf(big, sizeof(big), "GET / HTTP/1.1\r\n" HOST "A: ");
	memset(big + n, 'a', 20000);
	big[n + 20000] = '\0';
	assert_int_equal(strncmp(exchange(big, "refused"), "HTTP/1.1 431 ", 13), 0);
	/* Too many of them. */
	n = snprintf(big, sizeof(big), "GET / HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 65; i++)
		n += snprintf(big + n, sizeof(big) - n, "A: b\r\n");
	snprintf(big + n, sizeof(big) - n, "\r\n");
	assert_int_equal(strncmp(exchange(big, "refused"), "HTTP/1.1 431 ", 13), 0);
	/* A body in chunks that goes on and on; the server reads on for a while after refusing. */
	n = snprintf(big, sizeof(big),
		     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n30d40\r\n");
	memset(big + n, 'a', 200000);
	big[n + 200000] = '\0';
	assert_int_equal(strncmp(exchange(big, "refused"), "HTTP/1.1 413 ", 13), 0);
	/* The largest body, in whatever pieces it comes. */
	n = snprintf(big, sizeof(big), "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n",
		     BODY_MAX);
	memset(big + n, 'a', BODY_MAX);
	fd = client_connect(path);
	for (int i = 0; i < n; i++)
		client_send(base, fd, big + i, 1);
	client_send(base, fd, big + n, BODY_MAX);
	assert_non_null(strstr(client_receive(base, fd, "100000:", 500), "100000:aaa"));
	close(fd);
}

/* Three bodies of half the budget are one too many. */
static void bounds_memory_of_all(void **state)
{
	char head[100];
	int fd[3];

	(void)state;
	snprintf(head, sizeof(head), "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n",
		 BODY_MAX);
	for (int i = 0; i < 3; i++)
		fd[i] = begin(head);
	client_pass(base, 3);
	assert_int_equal(strncmp(client_receive(base, fd[2], "refused", 500), "HTTP/1.1 503 ", 13),
			 0);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	client_pass(base, 5);
	assert_int_equal(budget.left, 2 * BODY_MAX);
}

static void expects_100_continue(void **state)
{
	int fd = begin("POST / HTTP/1.1\r\n" HOST
		       "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n");

	(void)state;
	assert_string_equal(client_receive(base, fd, "\r\n\r\n", 500),
			    "HTTP/1.1 100 Continue\r\n\r\n");
	client_send(base, fd, "x", 1);
	assert_non_null(strstr(client_receive(base, fd, "1:x", 500), "200 OK"));
	close(fd);
}

/* One more than the limit ends the longest idle, never a busy one. */
static void bounds_connections(void **state)
{
	int idle = client_connect(path), later = client_connect(path), fd[3];

	(void)state;
	client_pass(base, 3);
	fd[0] = begin("POST /later HTTP/1.1\r\n" HOST "\r\n");
	fd[1] = begin("POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n");
	client_pass(base, 3);
	assert_string_equal(client_receive(base, idle, NULL, 100), "");
	assert_int_equal(recv(idle, &fd[2], 1, 0), 0); /* closed */
	assert_int_equal(recv(later, &fd[2], 1, 0), -1);
	close(idle);
	/* `later` is idle, so it makes place; then all are busy, and it's the new one that goes. */
	idle = begin("POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n");
	client_pass(base, 3);
	assert_int_equal(recv(later, &fd[2], 1, 0), 0);
	fd[2] = client_connect(path);
	client_pass(base, 3);
	close(later);
	assert_int_equal(recv(fd[2], &later, 1, 0), 0);
	assert_non_null(seen.waiting);
	http_reply(seen.waiting, 200, "");
	assert_non_null(strstr(client_receive(base, fd[0], "\r\n\r\n", 100), "200 OK"));
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	close(idle);
	client_pass(base, 3);
}

/* Slow clients are told, idle ones are not. A drop of bytes now and then does not help. */
static void bounds_time(void **state)
{
	int slow_head = begin("GET / HT"), idle = client_connect(path);
	int slow_body = begin("POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\na");

	(void)state;
	client_pass(base, 500);
	client_send(base, slow_head, "T", 1);
	client_send(base, slow_body, "b", 1);
	client_pass(base, 900);
	assert_int_equal(
		strncmp(client_receive(base, slow_head, "refused", 1), "HTTP/1.1 408 ", 13), 0);
	assert_int_equal(
		strncmp(client_receive(base, slow_body, "refused", 1), "HTTP/1.1 408 ", 13), 0);
	assert_string_equal(client_receive(base, idle, NULL, 100), "");
	assert_int_equal(recv(idle, &idle, 1, 0), 0);
	close(slow_head);
	close(slow_body);
}

static void notices_a_client_that_leaves(void **state)
{
	int fd = begin("POST /later HTTP/1.1\r\n" HOST "\r\n");

	(void)state;
	client_pass(base, 3);
	assert_non_null(seen.waiting);
	close(fd);
	client_pass(base, 3);
	assert_int_equal(seen.gone, 1);
	/* One that only has nothing more to say still wants its answer. */
	fd = begin("POST /later HTTP/1.1\r\n" HOST "\r\n");
	shutdown(fd, SHUT_WR);
	client_pass(base, 3);
	assert_int_equal(seen.gone, 1);
	assert_non_null(seen.waiting);
	http_reply(seen.waiting, 200, "");
	assert_non_null(strstr(client_receive(base, fd, NULL, 500), "Connection: close"));
	close(fd);
}

static void socket_files(void **state)
{
	struct stat st;
	char other[80];
	int fd;

	(void)state;
	assert_int_equal(unix_socket_listen(path, 0660), -EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	snprintf(other, sizeof(other), "%s-2", path);
	close(unix_socket_listen(other, 0600)); /* nobody serves it any more */
	fd = unix_socket_listen(other, 0600);
	assert_true(fd >= 0);
	close(fd);
	unlink(other);
	fclose(fopen(other, "w"));
	assert_int_equal(unix_socket_listen(other, 0600), -EEXIST);
	unlink(other);
	assert_int_equal(unix_socket_listen("/nonexistent/directory/socket", 0600), -ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(frames_requests),      TEST(refuses_bad_requests),
		TEST(bounds_sizes),         TEST(bounds_memory_of_all),
		TEST(expects_100_continue), TEST(bounds_connections),
		TEST(bounds_time),          TEST(notices_a_client_that_leaves),
		TEST(socket_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
