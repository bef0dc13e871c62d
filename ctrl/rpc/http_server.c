/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Accepting, and the clock. The number of connections is bounded, of all and of each peer: one
 * more ends the one that has been idle for longest, and when none is idle it is refused itself.
 * Every phase of a connection has a deadline, so that doesn't last.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/ssl.h>

#include <sluice/log.h>

#include "ctrl/rpc/http_conn.h"

SL_LOG_TYPE(http_server_log, "sluice.ctrl.http");

#define ACCEPT_BURST 32 /* before those who are connected have their turn */

/* Of all, or of one peer. Not one that has just come: it may be about to speak. */
static struct http_conn *longest_idle(struct http_server *server, const struct http_peer *peer)
{
	struct http_conn *conn;

	TAILQ_FOREACH (conn, &server->conns, link)
		if (!conn->dead && conn->phase == PHASE_IDLE && (!peer || conn->peer == peer))
			return conn;
	return NULL;
}

/* The last connection on the list has just come. */
static void keep_limits(struct http_server *server)
{
	struct http_conn *newest = TAILQ_LAST(&server->conns, http_conns), *idle;
	const struct http_peer *peer = newest->peer;
	bool over_peer = peer->connections > server->limits.connections_per_peer;

	if (!over_peer && server->counts.connections <= server->limits.connections)
		return;
	idle = longest_idle(server, over_peer ? peer : NULL);
	if (!idle || idle == newest) {
		server->counts.refused++;
		sl_log(http_server_log, WARNING, "a connection of %s refused: %u are busy",
		       peer->name, over_peer ? peer->connections : server->counts.connections);
		idle = newest;
	}
	http_conn_free(idle);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int len, void *arg)
{
	struct http_listener *l = arg;

	(void)address;
	(void)len;
	l->server->counts.accepted++;
	if (http_conn_new(l, fd))
		keep_limits(l->server);
	else
		sl_log(http_server_log, ERR, "a connection refused: no memory");
	if (++l->accepted % ACCEPT_BURST == 0) {
		evconnlistener_disable(listener);
		event_active(l->server->resume, 0, 0);
	}
}

/* Who is connected has had its turn. */
static void on_resume(evutil_socket_t fd, short events, void *arg)
{
	struct http_server *server = arg;
	struct http_listener *listener;

	(void)fd;
	(void)events;
	if (!server->started)
		return;
	LIST_FOREACH (listener, &server->listeners, link)
		evconnlistener_enable(listener->listener);
}

void http_server_start(struct http_server *server)
{
	server->started = true;
	on_resume(-1, 0, server);
}

/* Out of descriptors, most likely. The listener stays readable: wait for the tick, don't spin. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	sl_log(http_server_log, ERR, "accept: %s", strerror(errno));
	evconnlistener_disable(listener);
}

/* Timeouts of a bufferevent count from the last byte, so one now and then would get round them. */
static void on_tick(evutil_socket_t fd, short events, void *arg)
{
	struct http_server *server = arg;
	uint64_t now = http_now_ms();
	struct http_conn *conn, *next;

	for (conn = TAILQ_FIRST(&server->conns); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		http_conn_check(conn, now);
	}
	on_resume(fd, events, arg);
}

struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
				    struct rpc_budget *budget, const struct http_handler *handler)
{
	const struct timeval second = {1, 0};
	struct http_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->base = base;
	server->limits = *limits;
	server->budget = budget;
	server->handler = *handler;
	LIST_INIT(&server->listeners);
	LIST_INIT(&server->peers);
	TAILQ_INIT(&server->conns);
	server->tick = event_new(base, -1, EV_PERSIST, on_tick, server);
	server->resume = event_new(base, -1, 0, on_resume, server);
	if (server->resume && server->tick && !event_add(server->tick, &second))
		return server;
	http_server_free(server);
	errno = ENOMEM;
	return NULL;
}

int http_server_listen(struct http_server *server, evutil_socket_t fd, struct ssl_ctx_st *tls)
{
	struct http_listener *l = calloc(1, sizeof(*l));

	if (l) {
		l->server = server;
		l->tls = tls;
		l->listener = evconnlistener_new(
			server->base, on_accept, l,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
	}
	if (!l || !l->listener) {
		free(l);
		evutil_closesocket(fd);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(l->listener, on_accept_error);
	if (tls)
		SSL_CTX_up_ref(tls);
	LIST_INSERT_HEAD(&server->listeners, l, link);
	return 0;
}

void http_server_free(struct http_server *server)
{
	struct http_listener *listener;
	struct http_conn *conn;

	if (!server)
		return;
	while ((conn = TAILQ_FIRST(&server->conns)))
		http_conn_free(conn);
	while ((listener = LIST_FIRST(&server->listeners))) {
		LIST_REMOVE(listener, link);
		evconnlistener_free(listener->listener);
		SSL_CTX_free(listener->tls);
		free(listener);
	}
	if (server->tick)
		event_free(server->tick);
	if (server->resume)
		event_free(server->resume);
	free(server);
}

struct http_counts http_server_counts(const struct http_server *server)
{
	return server->counts;
}
