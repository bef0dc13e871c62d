/* SPDX-License-Identifier: BSD-3-Clause */
/* HTTP/1.1: framing, limits in size, number and time, clients that leave. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
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

#define HEAD_MAX 16384
#define BODY_MAX 100000

static struct event_base *base;
static struct http_server *server;
static struct rpc_budget budget;
static char path[64];

/* What the handler saw; an "/later" target is answered by the test. */
static struct {
	unsigned int requests;
	unsigned int gone;
	struct http_exchange *waiting;
} seen;

/* Answers the body's length and last bytes. */
static void on_request(struct http_exchange *x, void *arg)
{
	struct evbuffer *body = http_body(x), *reply = http_reply_body(x);

	(void)arg;
	seen.requests++;
	assert_true(!strcmp(http_verb(x), "POST") == !http_field(x, "no-post"));
	if (!strcmp(http_target(x), "/later")) {
		seen.waiting = x;
		return;
	}
	evbuffer_add_printf(reply, "%zu:", evbuffer_get_length(body));
	evbuffer_add_buffer(reply, body);
	http_reply_field(x, "X-Field", "value");
	http_reply(x, 200);
}

static void on_refused(struct http_exchange *x, int status, const char *why, void *arg)
{
	(void)arg;
	evbuffer_add_printf(http_reply_body(x), "refused: %s", why);
	http_reply(x, status);
}

static void on_gone(struct http_exchange *x, void *arg)
{
	(void)arg;
	assert_ptr_equal(x, seen.waiting);
	seen.gone++;
	seen.waiting = NULL;
}

static void identify(struct caller *caller, int fd, struct ssl_st *tls, void *arg)
{
	(void)fd;
	(void)tls;
	(void)arg;
	assert_int_equal(caller->uid, getuid());
}

static int set_up(void **state)
{
	const struct http_limits limits = {
		.connections = 3,
		.connections_per_peer = 3,
		.streams = 3,
		.head = HEAD_MAX,
		.body = BODY_MAX,
		.idle = 1,
		.request = 1,
		.reply = 2,
	};
	const struct http_handler handler = {
		.request = on_request,
		.refused = on_refused,
		.gone = on_gone,
		.identify = identify,
	};

	(void)state;
	memset(&seen, 0, sizeof(seen));
	budget.left = 2 * BODY_MAX;
	base = event_base_new();
	snprintf(path, sizeof(path), "/tmp/test-http-%d.sock", getpid());
	server = http_server_new(base, &limits, &budget, &handler);
	if (http_server_listen(server, unix_socket_listen(path, 0660), NULL))
		return -1;
	http_server_start(server);
	return 0;
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
		{"GET / HTTP/1.1\r\nNo-Post:x\r\n\r\n", "\r\n\r\n0:"},
		{"GET / HTTP/1.0\r\nno-post: x\r\n\r\n", "\r\n\r\n0:"},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		 "3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n",
		 "13:abc0123456789"},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		 "1\r\na\r\n0\r\nTrailer: x\r\n\r\n",
		 "1:a"},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		 "1;x=y\r\na\r\n0\r\n\r\n",
		 "1:a"},
		/* One after the other, sent together. */
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na"
		 "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nbc",
		 "2:bc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = exchange(cases[i].request, cases[i].reply);

		assert_int_equal(strncmp(got, "HTTP/1.", 7), 0);
		assert_int_equal(strncmp(got + 8, " 200 OK\r\n", 9), 0);
		assert_non_null(strstr(got, "\r\nX-Field: value\r\n"));
		assert_string_equal(got + strlen(got) - strlen(cases[i].reply), cases[i].reply);
	}
}

#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

/* The connection ends. */
static void refuses_bad_requests(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{"nonsense\r\n\r\n", 501},
		{" / HTTP/1.1\r\n" HOST "\r\n", 501},
		{"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
		{"GET / FTP/1.1\r\n" HOST "\r\n", 400},
		{"G(T / HTTP/1.1\r\n" HOST "\r\n", 501},
		{"HEAD / HTTP/1.1\r\n" HOST "\r\n", 501},
		{"TRACE / HTTP/1.1\r\n" HOST "\r\n", 501},
		{"CONNECT x:1 HTTP/1.1\r\n" HOST "\r\n", 501},
		{"GET / HTTP/1.1\r\n" HOST "nonsense\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Expect: more\r\nContent-Length: 1\r\n\r\na", 417},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\na", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 100001\r\n\r\n", 413},
		{"POST / HTTP/1.1\r\n" HOST
		 "Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n",
		 413},
		{CHUNKED "x\r\n", 400},
		{CHUNKED "1\r\nax\r\n", 400},
		{CHUNKED "-1\r\n", 400},
		{CHUNKED "ffffffffffffffffff\r\n", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\na", 400},
		{"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
		{"POST / HTTP/1.1\r\n" HOST
		 "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		 400},
		{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		 501},
	};
	char expected[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = exchange(cases[i].request, NULL);

		snprintf(expected, sizeof(expected), "HTTP/1.1 %d ", cases[i].status);
		if (strncmp(got, expected, strlen(expected)))
			fail_msg("%s: answered %s", cases[i].request, got);
		assert_non_null(strstr(got, "Connection: close\r\n"));
	}
	assert_int_equal(seen.requests, 0);
}

/* The server is the same afterwards, and holds nothing (see tear_down). */
static void survives_garbage(void **state)
{
	static const char good[] = CHUNKED "3\r\nabc\r\n0\r\n\r\n";
	char text[sizeof(good) + 4];

	(void)state;
	srandom(7);
	for (unsigned int i = 0; i < 2000; i++) {
		int fd = client_connect(path);

		memcpy(text, good, sizeof(good));
		for (unsigned int n = random() % 4 + 1; n; n--)
			text[random() % (sizeof(good) - 1)] = (char)random();
		if (i % 8 == 0)
			for (unsigned int n = 0; n < sizeof(good); n++)
				text[n] = (char)random();
		client_send(base, fd, text, random() % sizeof(good));
		event_base_loop(base, EVLOOP_NONBLOCK);
		close(fd);
	}
	client_pass(base, 5);
	seen.waiting = NULL;
	assert_non_null(strstr(exchange(good, "3:abc"), " 200 OK"));
}

static void bounds_sizes(void **state)
{
	static char big[300000];
	int n, fd;

	(void)state;
	/* Header fields without end, and a first line without. */
	n = snprintf(big, sizeof(big), "GET / HTTP/1.1\r\n" HOST "A: ");
	memset(big + n, 'a', 20000);
	big[n + 20000] = '\0';
	assert_int_equal(strncmp(exchange(big, NULL), "HTTP/1.1 431 ", 13), 0);
	assert_int_equal(strncmp(exchange(big + n, NULL), "HTTP/1.1 501 ", 13), 0);
	/* A body in chunks that goes on and on. */
	n = snprintf(big, sizeof(big), CHUNKED);
	for (int i = 0; i < 3; i++) {
		n += snprintf(big + n, sizeof(big) - n, "9c40\r\n"); /* 40000 */
		memset(big + n, 'a', 40000);
		n += 40000;
		n += snprintf(big + n, sizeof(big) - n, "\r\n");
	}
	assert_int_equal(strncmp(exchange(big, NULL), "HTTP/1.1 413 ", 13), 0);
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

/* Three bodies of nearly half the budget are one too many. */
static void bounds_memory_of_all(void **state)
{
	static char text[BODY_MAX];
	int fd[3], n;

	(void)state;
	memset(text, 'a', sizeof(text));
	n = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n",
		     BODY_MAX - 100);
	text[n] = 'a';
	for (int i = 0; i < 2; i++) {
		fd[i] = client_connect(path);
		client_send(base, fd[i], text, BODY_MAX - 200);
	}
	fd[2] = client_connect(path);
	send(fd[2], text, BODY_MAX - 200, MSG_NOSIGNAL); /* not all is taken */
	assert_int_equal(
		strncmp(client_receive(base, fd[2], "\r\n\r\n", 1500), "HTTP/1.1 503 ", 13), 0);
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

static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
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
	assert_true(is_closed(idle));
	assert_false(is_closed(later));
	/* `later` is idle, so it makes place; then all are busy, and it's the new one that goes. */
	fd[2] = begin("POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n");
	client_pass(base, 3);
	assert_true(is_closed(later));
	close(later);
	later = client_connect(path);
	client_pass(base, 3);
	assert_true(is_closed(later));
	assert_non_null(seen.waiting);
	http_reply(seen.waiting, 200);
	assert_non_null(strstr(client_receive(base, fd[0], "\r\n\r\n", 100), "200 OK"));
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	close(idle);
	close(later);
	client_pass(base, 3);
}

/* Calls one after the other on connections that stay, and many more clients than connections. */
static void serves_many(void **state)
{
	static const char call[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab";
	int fd[300];
	unsigned int answered = 0;

	(void)state;
	fd[0] = client_connect(path);
	for (unsigned int i = 0; i < 100; i++) {
		client_send(base, fd[0], call, strlen(call));
		assert_non_null(strstr(client_receive(base, fd[0], "2:ab", 500), "2:ab"));
	}
	close(fd[0]);
	for (unsigned int i = 0; i < 300; i++)
		fd[i] = begin(call);
	for (unsigned int i = 0; i < 300; i++) {
		answered += strstr(client_receive(base, fd[i], "2:ab", 100), "2:ab") != NULL;
		close(fd[i]);
	}
	client_pass(base, 5);
	assert_int_equal(seen.requests, 100 + answered);
	assert_int_equal(answered, 300); /* idle by then, each made place for the next */
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
	assert_false(is_closed(idle));
	client_pass(base, 1600);
	assert_int_equal(strncmp(client_receive(base, slow_head, NULL, 10), "HTTP/1.1 408 ", 13),
			 0);
	assert_int_equal(strncmp(client_receive(base, slow_body, NULL, 10), "HTTP/1.1 408 ", 13),
			 0);
	assert_true(is_closed(slow_head));
	assert_true(is_closed(slow_body));
	assert_true(is_closed(idle));
	close(slow_head);
	close(slow_body);
	close(idle);
}

static void notices_a_client_that_leaves(void **state)
{
	int fd = begin("POST /later HTTP/1.1\r\n" HOST "\r\n");

	(void)state;
	client_pass(base, 3);
	assert_non_null(seen.waiting);
	close(fd);
	client_pass(base, 1100);
	assert_int_equal(seen.gone, 1);
	/* Answered before that was noticed. */
	fd = begin("POST /later HTTP/1.1\r\n" HOST "\r\n");
	client_pass(base, 3);
	close(fd);
	http_reply(seen.waiting, 200);
	client_pass(base, 3);
	assert_int_equal(seen.gone, 1);
	/* One that only has nothing more to say still wants its answer. */
	fd = begin("POST /later HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	shutdown(fd, SHUT_WR);
	client_pass(base, 1100);
	assert_int_equal(seen.gone, 1);
	assert_non_null(seen.waiting);
	http_reply(seen.waiting, 200);
	assert_non_null(strstr(client_receive(base, fd, NULL, 500), "Connection: close"));
	close(fd);
}

/* The server goes: in the middle of a request, of a call, and of accepting. */
static void ends_with_all_under_way(void **state)
{
	int fd[3] = {begin("POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\na"),
		     begin("POST /later HTTP/1.1\r\n" HOST "\r\n")};

	(void)state;
	client_pass(base, 3);
	assert_non_null(seen.waiting);
	fd[2] = client_connect(path);
	event_base_loop(base, EVLOOP_NONBLOCK);
	http_server_free(server);
	server = NULL;
	assert_int_equal(seen.gone, 1);
	client_pass(base, 1); /* the library closes sockets from its loop */
	for (int i = 0; i < 3; i++) {
		assert_true(is_closed(fd[i]));
		close(fd[i]);
	}
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
		TEST(frames_requests),
		TEST(refuses_bad_requests),
		TEST(survives_garbage),
		TEST(serves_many),
		TEST(ends_with_all_under_way),
		TEST(bounds_sizes),
		TEST(bounds_memory_of_all),
		TEST(expects_100_continue),
		TEST(bounds_connections),
		TEST(bounds_time),
		TEST(notices_a_client_that_leaves),
		TEST(socket_files),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
