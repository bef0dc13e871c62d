/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/http_conn.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#define READ_AHEAD     65536 /* bytes taken from the socket before they are used */
#define LINGER_SECONDS 2

static void phase_begin(struct http_conn *conn, enum http_phase phase, unsigned int seconds)
{
	const struct timeval tv = {seconds, 0};

	conn->phase = phase;
	conn->serial = ++conn->server->serial;
	if (seconds)
		event_add(conn->deadline, &tv);
	else
		event_del(conn->deadline); /* HTTP_CALL: the call has one of its own */
}

/* Give back what the last request took. */
static void request_reset(struct http_conn *conn)
{
	evbuffer_drain(conn->body, evbuffer_get_length(conn->body));
	conn->server->budget->left += conn->charged;
	conn->charged = 0;
	free(conn->head_text);
	conn->head_text = NULL;
	conn->head = (struct http_head){.method = "", .target = ""};
	conn->chunked = (struct http_chunked){0};
	conn->data = NULL;
	conn->started = false;
}

static void request_wait(struct http_conn *conn)
{
	request_reset(conn);
	phase_begin(conn, HTTP_HEAD, conn->server->limits.idle);
}

/* Whoever refuses does not know where the next request would begin. */
static void refuse(struct http_conn *conn, int status, const char *why)
{
	struct http_handler *handler = &conn->server->handler;

	evbuffer_drain(conn->body, evbuffer_get_length(conn->body));
	conn->close_after = true;
	phase_begin(conn, HTTP_CALL, 0);
	handler->refused(conn, status, why, handler->arg);
}

static void request_complete(struct http_conn *conn)
{
	struct http_handler *handler = &conn->server->handler;

	phase_begin(conn, HTTP_CALL, 0);
	handler->request(conn, handler->arg);
}

/* True when the body may have so many bytes in all; else the refusal has been sent. */
static bool body_charge(struct http_conn *conn, uint64_t bytes)
{
	struct http_server *server = conn->server;
	char why[96];

	if (bytes > server->limits.body) {
		snprintf(why, sizeof(why), "the body is over %zu bytes", server->limits.body);
		refuse(conn, 413, why);
		return false;
	}
	if (bytes <= conn->charged)
		return true;
	if (bytes - conn->charged > server->budget->left) {
		refuse(conn, 503, "too many large requests at a time");
		return false;
	}
	server->budget->left -= bytes - conn->charged;
	conn->charged = bytes;
	return true;
}

static void read_body(struct http_conn *conn, struct evbuffer *in)
{
	size_t have = evbuffer_get_length(conn->body);

	if (conn->head.chunked) {
		if (http_chunked_read(&conn->chunked, in, conn->body)) {
			refuse(conn, 400, "malformed chunk");
			return;
		}
		if (body_charge(conn, evbuffer_get_length(conn->body)) &&
		    conn->chunked.state == HTTP_CHUNK_DONE)
			request_complete(conn);
		return;
	}
	evbuffer_remove_buffer(in, conn->body, conn->head.content_length - have);
	if (evbuffer_get_length(conn->body) == conn->head.content_length)
		request_complete(conn);
}

static void begin_body(struct http_conn *conn)
{
	if (!body_charge(conn, conn->head.content_length))
		return;
	if (conn->head.expect_continue)
		evbuffer_add_printf(bufferevent_get_output(conn->bev),
				    "HTTP/1.1 100 Continue\r\n\r\n");
	phase_begin(conn, HTTP_BODY, conn->server->limits.body_s);
}

static void parse_head(struct http_conn *conn, struct evbuffer *in, size_t len)
{
	const char *why;
	int status;

	conn->head_text = malloc(len + 1);
	if (!conn->head_text) {
		refuse(conn, 503, "out of memory");
		return;
	}
	evbuffer_remove(in, conn->head_text, len);
	conn->head_text[len] = '\0';
	status = http_head_parse(&conn->head, conn->head_text, len, &why);
	conn->close_after = status || !conn->head.keep_alive;
	if (status)
		refuse(conn, status, why);
	else
		begin_body(conn);
}

static void read_head(struct http_conn *conn, struct evbuffer *in)
{
	struct evbuffer_ptr end;

	if (!conn->started) {
		conn->started = true;
		phase_begin(conn, HTTP_HEAD, conn->server->limits.head);
	}
	end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (end.pos >= 0 && end.pos + 4 <= HTTP_HEAD_MAX)
		parse_head(conn, in, end.pos + 4);
	else if (end.pos >= 0 || evbuffer_get_length(in) > HTTP_HEAD_MAX)
		refuse(conn, 431, "the header is over 16 KiB");
}

/* Go as far as the bytes that are here allow. */
static void advance(struct http_conn *conn)
{
	struct evbuffer *in = bufferevent_get_input(conn->bev);

	if (conn->phase == HTTP_HEAD && evbuffer_get_length(in))
		read_head(conn, in);
	if (conn->phase == HTTP_BODY)
		read_body(conn, in);
	if (conn->phase == HTTP_LINGER)
		evbuffer_drain(in, evbuffer_get_length(in));
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	(void)bev;
	advance(arg);
}

static void linger(struct http_conn *conn)
{
	shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
	phase_begin(conn, HTTP_LINGER, LINGER_SECONDS);
	advance(conn);
}

/* All output is with the kernel. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct http_conn *conn = arg;

	(void)bev;
	if (conn->phase != HTTP_REPLY)
		return;
	if (conn->close_after) {
		linger(conn);
		return;
	}
	request_wait(conn);
	advance(conn);
}

/* Has the client closed both ways, or only said that nothing more will come? */
static bool has_left(struct http_conn *conn)
{
	struct pollfd p = {.fd = bufferevent_getfd(conn->bev)};

	return poll(&p, 1, 0) != 0;
}

static void on_end(struct bufferevent *bev, short what, void *arg)
{
	struct http_conn *conn = arg;
	bool owes_reply = conn->phase == HTTP_CALL || conn->phase == HTTP_REPLY;

	(void)bev;
	if ((what & BEV_EVENT_EOF) && owes_reply && !has_left(conn))
		conn->close_after = true;
	else
		http_conn_free(conn);
}

static void on_deadline(evutil_socket_t fd, short events, void *arg)
{
	struct http_conn *conn = arg;

	(void)fd;
	(void)events;
	if ((conn->phase == HTTP_HEAD && conn->started) || conn->phase == HTTP_BODY)
		refuse(conn, 408, "the request took too long to arrive");
	else
		http_conn_free(conn);
}

static void parts_free(struct http_conn *conn)
{
	if (conn->deadline)
		event_free(conn->deadline);
	if (conn->body)
		evbuffer_free(conn->body);
	if (conn->reply)
		evbuffer_free(conn->reply);
	free(conn);
}

struct http_conn *http_conn_new(struct http_server *server, evutil_socket_t fd)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		goto fail;
	conn->server = server;
	conn->body = evbuffer_new();
	conn->reply = evbuffer_new();
	conn->deadline = evtimer_new(server->base, on_deadline, conn);
	if (!conn->body || !conn->reply || !conn->deadline)
		goto fail;
	conn->bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!conn->bev)
		goto fail;
	bufferevent_setcb(conn->bev, on_readable, on_written, on_end, conn);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, READ_AHEAD);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	request_wait(conn);
	TAILQ_INSERT_TAIL(&server->conns, conn, link);
	server->n_conns++;
	return conn;

fail:
	evutil_closesocket(fd);
	if (conn)
		parts_free(conn);
	return NULL;
}

void http_conn_free(struct http_conn *conn)
{
	struct http_server *server = conn->server;

	if (conn->phase == HTTP_CALL)
		server->handler.gone(conn, server->handler.arg);
	request_reset(conn);
	bufferevent_free(conn->bev);
	TAILQ_REMOVE(&server->conns, conn, link);
	server->n_conns--;
	parts_free(conn);
}

bool http_conn_is_idle(const struct http_conn *conn)
{
	return conn->phase == HTTP_LINGER || (conn->phase == HTTP_HEAD && !conn->started);
}

const struct http_head *http_conn_head(const struct http_conn *conn)
{
	return &conn->head;
}

struct evbuffer *http_conn_body(struct http_conn *conn)
{
	return conn->body;
}

struct evbuffer *http_conn_reply(struct http_conn *conn)
{
	return conn->reply;
}

bool http_conn_peer(const struct http_conn *conn, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);
	int fd = bufferevent_getfd(conn->bev);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) == 0 && peer->pid > 0;
}

void *http_conn_data(const struct http_conn *conn)
{
	return conn->data;
}

void http_conn_set_data(struct http_conn *conn, void *data)
{
	conn->data = data;
}

static const char *reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 417: return "Expectation Failed";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	default: return "Unknown";
	}
}

void http_reply(struct http_conn *conn, int status, const char *fields)
{
	struct evbuffer *out = bufferevent_get_output(conn->bev);

	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n%s%sContent-Length: %zu\r\n\r\n", status,
			    reason(status), fields,
			    conn->close_after ? "Connection: close\r\n" : "",
			    evbuffer_get_length(conn->reply));
	if (strcmp(conn->head.method, "HEAD"))
		evbuffer_add_buffer(out, conn->reply);
	evbuffer_drain(conn->reply, evbuffer_get_length(conn->reply));
	phase_begin(conn, HTTP_REPLY, conn->server->limits.reply);
}
