/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Accepting. The number of connections is bounded: one more ends the one that has been idle
 * for longest, or itself when none is. Every phase of a connection has a deadline, so
 * that doesn't last.
 */
#include "ctrl/rpc/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/listener.h>

#include <sluice/log.h>

#include "ctrl/rpc/http_conn.h"

SL_LOG_TYPE(http_log, "sluice.ctrl.http");

static bool end_longest_idle(struct http_server *server)
{
	struct http_conn *conn, *longest = NULL;

	TAILQ_FOREACH (conn, &server->conns, link)
		if (http_conn_is_idle(conn) && (!longest || conn->serial < longest->serial))
			longest = conn;
	if (longest)
		http_conn_free(longest);
	return longest != NULL;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int address_len, void *arg)
{
	struct http_server *server = arg;

	(void)listener;
	(void)address;
	(void)address_len;
	if (server->n_conns == server->limits.connections && !end_longest_idle(server)) {
		sl_log(http_log, WARNING, "a connection refused: %u are busy", server->n_conns);
		evutil_closesocket(fd);
		return;
	}
	if (!http_conn_new(server, fd))
		sl_log(http_log, ERR, "a connection refused: out of memory");
}

/* Out of descriptors, most likely. The listener stays readable: wait, don't spin. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct http_server *server = arg;
	const struct timeval second = {1, 0};

	sl_log(http_log, ERR, "accept: %s", strerror(errno));
	evconnlistener_disable(listener);
	event_add(server->resume, &second);
}

static void on_resume(evutil_socket_t fd, short events, void *arg)
{
	struct http_server *server = arg;

	(void)fd;
	(void)events;
	evconnlistener_enable(server->listener);
}

struct http_server *http_server_new(struct event_base *base, evutil_socket_t fd,
				    const struct http_limits *limits, struct rpc_budget *budget,
				    const struct http_handler *handler)
{
	struct http_server *server = calloc(1, sizeof(*server));

	if (!server)
		goto fail;
	server->base = base;
	server->limits = *limits;
	server->budget = budget;
	server->handler = *handler;
	TAILQ_INIT(&server->conns);
	server->resume = evtimer_new(base, on_resume, server);
	if (!server->resume)
		goto fail;
	server->listener = evconnlistener_new(base, on_accept, server,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!server->listener)
		goto fail;
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	return server;

fail:
	if (server && server->resume)
		event_free(server->resume);
	free(server);
	evutil_closesocket(fd);
	errno = ENOMEM;
	return NULL;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	while (!TAILQ_EMPTY(&server->conns))
		http_conn_free(TAILQ_FIRST(&server->conns));
	evconnlistener_free(server->listener);
	event_free(server->resume);
	free(server);
}
