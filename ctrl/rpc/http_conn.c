/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection of evhttp's, seen from the side: its bufferevent's input tells that bytes have
 * come, evhttp that a request is whole, that an answer is written and that it has closed.
 */
#include "ctrl/rpc/http_conn.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/keyvalq_struct.h>

uint64_t http_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void phase_begin(struct http_conn *conn, enum http_phase phase)
{
	struct http_server *server = conn->server;
	uint64_t now = http_now_ms();

	conn->phase = phase;
	switch (phase) {
	case HTTP_IDLE: conn->deadline_ms = now + server->limits.idle * 1000ull; break;
	case HTTP_REQUEST: conn->deadline_ms = now + server->limits.request * 1000ull; break;
	case HTTP_CALL: conn->deadline_ms = UINT64_MAX; break; /* the call has one of its own */
	case HTTP_REPLY: conn->deadline_ms = now + server->limits.reply * 1000ull; break;
	}
	TAILQ_REMOVE(&server->conns, conn, link);
	TAILQ_INSERT_TAIL(&server->conns, conn, link);
}

/* ---- the budget ---- */

static void charge(struct http_conn *conn, size_t bytes)
{
	struct rpc_budget *budget = conn->server->budget;

	if (!rpc_budget_take(budget, bytes)) {
		conn->over_budget = true; /* the tick ends it */
		bufferevent_disable(conn->bev, EV_READ);
		bytes = rpc_budget_take_rest(budget);
	}
	conn->charged += bytes;
}

/* Give back what the last request took, and begin anew with what has come after it. */
static void charge_anew(struct http_conn *conn, size_t bytes)
{
	rpc_budget_give(conn->server->budget, conn->charged);
	conn->charged = 0;
	conn->over_budget = false;
	charge(conn, bytes);
}

/* ---- what evhttp and the socket tell ---- */

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *conn = arg;

	(void)input;
	if (!info->n_added)
		return;
	if (conn->phase == HTTP_IDLE)
		phase_begin(conn, HTTP_REQUEST);
	charge(conn, info->n_added);
}

static void on_written(struct evhttp_request *request, void *arg)
{
	struct http_conn *conn = arg;
	size_t ahead = evbuffer_get_length(bufferevent_get_input(conn->bev));

	(void)request;
	charge_anew(conn, ahead);
	phase_begin(conn, ahead ? HTTP_REQUEST : HTTP_IDLE);
}

static void conn_free(struct http_conn *conn)
{
	charge_anew(conn, 0);
	free(conn);
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
	struct http_conn *conn = arg;
	struct http_server *server = conn->server;

	(void)evcon;
	if (conn->call) {
		server->handler.gone(conn, server->handler.arg);
		/* On an error evhttp leaves an unanswered request to its user, else it frees it. */
		if (!evhttp_request_get_connection(conn->call))
			evhttp_request_free(conn->call);
	}
	evbuffer_remove_cb(bufferevent_get_input(conn->bev), on_input, conn);
	TAILQ_REMOVE(&server->conns, conn, link);
	server->n_conns--;
	conn_free(conn);
}

/* ---- its life ---- */

struct http_conn *http_conn_new(struct http_server *server)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->server = server;
	conn->bev = bufferevent_socket_new(server->base, -1, 0); /* evhttp closes the socket */
	if (!conn->bev) {
		free(conn);
		return NULL;
	}
	/* evhttp may free it before we know of whom. */
	bufferevent_incref(conn->bev);
	/* It moves a body out of the input when that is whole, so that much has to have room. */
	bufferevent_setwatermark(conn->bev, EV_READ, 0, server->limits.head + server->limits.body);
	return conn;
}

void http_conn_drop(struct http_conn *conn)
{
	bufferevent_decref(conn->bev);
	conn_free(conn);
}

/* As if the client had left: the one way to end a connection in any state from outside. */
void http_conn_end(struct http_conn *conn)
{
	bufferevent_trigger_event(conn->bev, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
}

bool http_conn_adopt(struct http_conn *conn)
{
	struct http_server *server = conn->server;
	bufferevent_event_cb on_event;
	void *arg;

	/* evhttp's callbacks get its connection; if it has freed that, there are none. */
	bufferevent_getcb(conn->bev, NULL, NULL, &on_event, &arg);
	if (!on_event || !evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn)) {
		if (on_event)
			http_conn_end(conn);
		http_conn_drop(conn);
		return false;
	}
	assert(evhttp_connection_get_bufferevent(arg) == conn->bev);
	evhttp_connection_set_closecb(arg, on_close, conn);
	bufferevent_decref(conn->bev);
	TAILQ_INSERT_TAIL(&server->conns, conn, link);
	server->n_conns++;
	phase_begin(conn, HTTP_IDLE);
	return true;
}

/* Only in the middle of a request, where evhttp has nothing to say; as much as the socket takes. */
static void refuse(struct http_conn *conn, const char *status)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status);

	if (!evbuffer_get_length(bufferevent_get_output(conn->bev)))
		send(bufferevent_getfd(conn->bev), text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	http_conn_end(conn);
}

/* Closed both ways; a client that only has nothing more to say still wants its answer. */
static bool has_left(const struct http_conn *conn)
{
	struct pollfd p = {.fd = bufferevent_getfd(conn->bev)};

	return poll(&p, 1, 0) > 0;
}

void http_conn_check(struct http_conn *conn, uint64_t now_ms)
{
	/* evhttp does not read while it waits for the answer. */
	if (conn->phase == HTTP_CALL && has_left(conn))
		http_conn_end(conn);
	else if (conn->phase == HTTP_REQUEST && conn->over_budget)
		refuse(conn, "503 Service Unavailable");
	else if (conn->phase == HTTP_REQUEST && now_ms >= conn->deadline_ms)
		refuse(conn, "408 Request Timeout");
	else if (now_ms >= conn->deadline_ms)
		http_conn_end(conn);
}

/* ---- requests and answers ---- */

static unsigned int count_fields(const struct evkeyvalq *fields, const char *name)
{
	const struct evkeyval *field;
	unsigned int n = 0;

	TAILQ_FOREACH (field, fields, next)
		n += !strcasecmp(field->key, name);
	return n;
}

/*
 * evhttp is lenient where servers have disagreed about a request's end. 0, or the status of the
 * refusal with *why.
 */
static int check_framing(struct evhttp_request *request, const char **why)
{
	const struct evkeyvalq *fields = evhttp_request_get_input_headers(request);
	unsigned int lengths = count_fields(fields, "Content-Length");
	unsigned int encodings = count_fields(fields, "Transfer-Encoding");
	const char *length = evhttp_find_header(fields, "Content-Length");
	const char *encoding = evhttp_find_header(fields, "Transfer-Encoding");

	if (lengths + encodings > 1) {
		*why = "more than one field tells the body's length";
		return 400;
	}
	if (length && length[strspn(length, "0123456789")]) {
		*why = "Content-Length: not a number";
		return 400;
	}
	if (encoding && strcasecmp(encoding, "chunked")) {
		*why = "Transfer-Encoding: chunked alone is served";
		return 501;
	}
	return 0;
}

void http_conn_request(struct http_conn *conn, struct evhttp_request *request)
{
	struct http_handler *handler = &conn->server->handler;
	const char *why;
	int status = check_framing(request, &why);

	conn->call = request;
	conn->data = NULL;
	conn->over_budget = false; /* it is here now */
	evhttp_request_set_on_complete_cb(request, on_written, conn);
	phase_begin(conn, HTTP_CALL);
	if (status) {
		http_reply_field(conn, "Connection", "close");
		handler->refused(conn, status, why, handler->arg);
	} else {
		handler->request(conn, handler->arg);
	}
}

bool http_conn_is_post(const struct http_conn *conn)
{
	return evhttp_request_get_command(conn->call) == EVHTTP_REQ_POST;
}

const char *http_conn_target(const struct http_conn *conn)
{
	return evhttp_request_get_uri(conn->call);
}

const char *http_conn_field(const struct http_conn *conn, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(conn->call), name);
}

struct evbuffer *http_conn_body(const struct http_conn *conn)
{
	return evhttp_request_get_input_buffer(conn->call);
}

struct evbuffer *http_conn_reply(const struct http_conn *conn)
{
	return evhttp_request_get_output_buffer(conn->call);
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

void http_reply_field(struct http_conn *conn, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(conn->call), name, value);
}

void http_reply(struct http_conn *conn, int status)
{
	struct evhttp_request *request = conn->call;

	conn->call = NULL;
	phase_begin(conn, HTTP_REPLY);
	evhttp_send_reply(request, status, NULL, NULL);
}
