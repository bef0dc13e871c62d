/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/1.1 by libevent's evhttp, and what that leaves to its user: how many connections, how
 * long each may take, how much memory their requests hold, and clients that leave.
 *
 * One exchange at a time on a connection. A request is handed to the handler when it is whole;
 * the handler answers it once, then or later, unless `gone` was called first.
 *
 * What is no request of HTTP or over a limit in size evhttp refuses by itself: 400, 413, 417 or
 * 501 with a page of HTML, after which it closes. No hook leads there.
 */
#ifndef CTRL_RPC_HTTP_H
#define CTRL_RPC_HTTP_H

#include <stdbool.h>
#include <sys/socket.h>

#include <event2/util.h>

#include "ctrl/rpc/arena.h"

struct event_base;
struct evbuffer;
struct http_server;
struct http_conn;

struct http_limits {
	unsigned int connections;
	size_t head; /* bytes of request line and header fields */
	size_t body; /* bytes */
	/* Seconds, of which one more may pass: */
	unsigned int idle;    /* between requests */
	unsigned int request; /* from its first byte to its last */
	unsigned int reply;   /* until the client has taken it */
};

struct http_handler {
	/* Answer with http_reply(). */
	void (*request)(struct http_conn *conn, void *arg);
	/* Not a request to be served: answer at once with http_reply(conn, status). */
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

/* ---- the request that is with the handler ---- */

bool http_conn_is_post(const struct http_conn *conn);
const char *http_conn_target(const struct http_conn *conn);

/* First header field of that name, in any case; NULL when there is none. */
const char *http_conn_field(const struct http_conn *conn, const char *name);

/* The request's body; the handler may drain it. */
struct evbuffer *http_conn_body(const struct http_conn *conn);

/* The handler's own pointer; NULL at the start of each request. */
void *http_conn_data(const struct http_conn *conn);
void http_conn_set_data(struct http_conn *conn, void *data);

/* Who is at the other end of a unix socket. False when it is another kind of socket. */
bool http_conn_peer(const struct http_conn *conn, struct ucred *peer);

/* Where to write the answer's body; empty until then. */
struct evbuffer *http_conn_reply(const struct http_conn *conn);

/* A header field of the answer. */
void http_reply_field(struct http_conn *conn, const char *name, const char *value);

/* Answer: status, those fields and that body. */
void http_reply(struct http_conn *conn, int status);

#endif
