/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Accepting, and the clock. The number of connections is bounded: one more ends the one that
 * has been idle for longest, which is itself when no other is. Every phase of a connection
 * has a deadline, so that doesn't last.
 *
 * evhttp tells its user of a connection twice: it asks for a bufferevent to build it on, and,
 * if told whom, says when it ends. In between an event of ours, `adopt`, runs to look at what
 * it has built. The listener waits for that, so there is one newborn at a time and never more
 * connections than one over the limit.
 */
#include "ctrl/rpc/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <sluice/log.h>

#include "ctrl/rpc/http_conn.h"

SL_LOG_TYPE(http_log, "sluice.ctrl.http");

/* CONNECT, HEAD and TRACE are left to evhttp, which refuses them: their framing is special. */
#define METHODS                                                                  \
	(EVHTTP_REQ_POST | EVHTTP_REQ_GET | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH)

static void end_longest_idle(struct http_server *server)
{
	struct http_conn *conn;

	TAILQ_FOREACH (conn, &server->conns, link)
		if (conn->phase == HTTP_IDLE)
			break;
	if (conn && !TAILQ_NEXT(conn, link))
		sl_log(http_log, WARNING, "a connection refused: %u are busy",
		       server->limits.connections);
	if (conn)
		http_conn_end(conn);
}

/* evhttp wants a bufferevent for the connection that it has just accepted. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct http_server *server = arg;

	(void)base;
	server->newborn = http_conn_new(server);
	if (!server->newborn) {
		sl_log(http_log, ERR, "a connection is not bounded: out of memory");
		return NULL; /* evhttp tries for itself */
	}
	evconnlistener_disable(server->listener);
	event_active(server->adopt, 0, 0);
	return server->newborn->bev;
}

static void on_adopt(evutil_socket_t fd, short events, void *arg)
{
	struct http_server *server = arg;
	struct http_conn *conn = server->newborn;

	(void)fd;
	(void)events;
	server->newborn = NULL;
	evconnlistener_enable(server->listener);
	if (http_conn_adopt(conn) && server->n_conns > server->limits.connections)
		end_longest_idle(server);
}

/*
 * Out of descriptors, most likely. The listener stays readable: wait for the tick, don't spin.
 * `arg` is evhttp's, as is the listener's callback.
 */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	sl_log(http_log, ERR, "accept: %s", strerror(errno));
	evconnlistener_disable(listener);
}

/* evhttp's timeouts count from the last byte, so one every now and then gets round them. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
	struct http_server *server = arg;
	struct http_conn *conn, *next;
	uint64_t now = http_now_ms();

	(void)fd;
	(void)events;
	for (conn = TAILQ_FIRST(&server->conns); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		http_conn_check(conn, now);
	}
	evconnlistener_enable(server->listener);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct http_server *server = arg;
	struct evhttp_connection *evcon = evhttp_request_get_connection(request);
	struct bufferevent *bev = evhttp_connection_get_bufferevent(evcon);
	struct http_conn *conn;

	TAILQ_FOREACH (conn, &server->conns, link)
		if (conn->bev == bev)
			break;
	if (conn)
		http_conn_request(conn, request);
	else
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL); /* see on_accept */
}

/* False: no memory. The socket is the listener's from here on. */
static bool set_up(struct http_server *server, evutil_socket_t fd)
{
	const struct timeval second = {1, 0};

	server->listener = evconnlistener_new(server->base, NULL, NULL,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!server->listener) {
		evutil_closesocket(fd);
		return false;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	server->adopt = event_new(server->base, -1, 0, on_adopt, server);
	server->tick = event_new(server->base, -1, EV_PERSIST, on_tick, server);
	server->http = evhttp_new(server->base);
	if (!server->adopt || !server->tick || !server->http || event_add(server->tick, &second))
		return false;
	evhttp_set_allowed_methods(server->http, METHODS);
	evhttp_set_max_headers_size(server->http, (ev_ssize_t)server->limits.head);
	evhttp_set_max_body_size(server->http, (ev_ssize_t)server->limits.body);
	evhttp_set_bevcb(server->http, on_accept, server);
	evhttp_set_gencb(server->http, on_request, server);
	return evhttp_bind_listener(server->http, server->listener) != NULL;
}

static void parts_free(struct http_server *server)
{
	if (server->adopt)
		event_free(server->adopt);
	if (server->tick)
		event_free(server->tick);
	free(server);
}

struct http_server *http_server_new(struct event_base *base, evutil_socket_t fd,
				    const struct http_limits *limits, struct rpc_budget *budget,
				    const struct http_handler *handler)
{
	struct http_server *server = calloc(1, sizeof(*server));

	if (!server) {
		evutil_closesocket(fd);
		errno = ENOMEM;
		return NULL;
	}
	server->base = base;
	server->limits = *limits;
	server->budget = budget;
	server->handler = *handler;
	TAILQ_INIT(&server->conns);
	if (set_up(server, fd))
		return server;

	if (server->http)
		evhttp_free(server->http); /* nothing is bound to it */
	if (server->listener)
		evconnlistener_free(server->listener);
	parts_free(server);
	errno = ENOMEM;
	return NULL;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	evhttp_free(server->http); /* the listener and every connection go with it */
	if (server->newborn)
		http_conn_drop(server->newborn);
	parts_free(server);
}
