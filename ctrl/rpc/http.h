/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small HTTP/1.1 server on libevent's bufferevents. Why not evhttp: in 2.1 it tells nobody
 * when a connection begins or ends, so connections can't be counted, bounded in time (slow
 * clients) or connected to calls whose client has left, and it answers its own refusals in HTML.
 *
 * One exchange at a time on a connection; requests sent ahead wait in the socket. Each phase has
 * a deadline. A request is handed to the handler when it is whole; the handler answers it
 * once, then or later, unless `gone` was called first.
 *
 *   head -> body -> handler's -> reply -> head ...
 *                                     `-> linger -> closed
 */
#ifndef CTRL_RPC_HTTP_H
#define CTRL_RPC_HTTP_H

#include <sys/socket.h>

#include <event2/util.h>

#include "ctrl/rpc/arena.h"
#include "ctrl/rpc/http_parse.h"

struct event_base;
struct evbuffer;
struct http_server;
struct http_conn;

struct http_limits {
	unsigned int connections;
	size_t body; /* bytes */
	/* Seconds: */
	unsigned int idle;   /* between requests */
	unsigned int head;   /* from its first byte to its last */
	unsigned int body_s; /* for the body */
	unsigned int reply;  /* until the client has taken it */
};

struct http_handler {
	/* Answer with http_reply(). */
	void (*request)(struct http_conn *conn, void *arg);
	/* Not a request to be served: answer at once with http_reply(conn, status, ...). */
	void (*refused)(struct http_conn *conn, int status, const char *why, void *arg);
	/* The client of a request not answered yet has left: don't answer any more. */
	void (*gone)(struct http_conn *conn, void *arg);
	void *arg;
};

/* Serve on a listening socket, which is taken over. NULL with errno set. */
struct http_server *http_server_new(struct event_base *base, evutil_socket_t fd,
				    const struct http_limits *limits, struct rpc_budget *budget,
				    const struct http_handler *handler);
void http_server_free(struct http_server *server);

const struct http_head *http_conn_head(const struct http_conn *conn);

/* The request's body; the handler may drain it. Empty after a refusal. */
struct evbuffer *http_conn_body(struct http_conn *conn);

/* The handler's own pointer; NULL at the start of each request. */
void *http_conn_data(const struct http_conn *conn);
void http_conn_set_data(struct http_conn *conn, void *data);

/* Who is at the other end of a unix socket. False when it is another kind of socket. */
bool http_conn_peer(const struct http_conn *conn, struct ucred *peer);

/* Where to write the answer's body; empty until then. */
struct evbuffer *http_conn_reply(struct http_conn *conn);

/* Answer: status, header fields ("Name: value\r\n"..., but for Content-Length), and that body. */
void http_reply(struct http_conn *conn, int status, const char *fields);

#endif
