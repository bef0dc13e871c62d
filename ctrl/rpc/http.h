/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/1.1 and HTTP/2 on the same sockets, bounded: how many connections, how long each may take,
 * how much memory what they send may hold, and clients that leave.
 *
 * A request and its answer are an exchange. HTTP/1.1 has one at a time on a connection, and the
 * handler gets it when the request is whole. HTTP/2 has several, and the handler gets each as
 * soon as its header is here. A client says which it speaks by its first bytes, on TLS too.
 *
 *   http_server.c    accepts, counts, looks at the clock
 *   http_conn.c      one connection: its bytes, phases and deadlines
 *   http1.c http2.c  the versions: bytes to exchanges and back
 *   http_exchange.c  what both have in common
 */
#ifndef CTRL_RPC_HTTP_H
#define CTRL_RPC_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/util.h>

#include "ctrl/rpc/arena.h"
#include "ctrl/rpc/caller.h"

struct event_base;
struct evbuffer;
struct http_exchange;
struct http_server;
struct ssl_ctx_st;
struct ssl_st;

struct http_limits {
	unsigned int connections;
	unsigned int connections_per_peer; /* user of a unix socket, address */
	unsigned int streams;              /* exchanges at a time on one connection */
	size_t head;                       /* bytes of request line and header fields */
	size_t body;                       /* bytes that the handler has not taken */
	/* Seconds, of which one more may pass: */
	unsigned int idle;    /* between requests */
	unsigned int request; /* from its first byte to its last */
	unsigned int reply;   /* without the client taking any of it */
};

struct http_handler {
	/*
	 * A request, or more of its body, or that it has ended (http_body_ended). Called
	 * until the answer has ended.
	 */
	void (*request)(struct http_exchange *x, void *arg);
	/* Not a request to be served: answer at once with http_reply(x, status). */
	void (*refused)(struct http_exchange *x, int status, const char *why, void *arg);
	/* The client has left, or reads nothing: answer no more; the exchange ends with this. */
	void (*gone)(struct http_exchange *x, void *arg);
	/* The client has taken what was sent: http_reply_backlog() is 0. */
	void (*drained)(struct http_exchange *x, void *arg);
	/* Who is there is known, but for the role: set it. `tls` is NULL on a unix socket. */
	void (*identify)(struct caller *caller, int fd, struct ssl_st *tls, void *arg);
	void *arg;
};

/* NULL with errno. `limits` are of all the listeners together. */
struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
				    struct rpc_budget *budget, const struct http_handler *handler);

/*
 * Serve on a listening socket, which is taken over; with TLS when `tls` is not NULL. -ENOMEM. Who
 * connects before http_server_start waits.
 */
int http_server_listen(struct http_server *server, evutil_socket_t fd, struct ssl_ctx_st *tls);
void http_server_start(struct http_server *server);

/* Every exchange under way is `gone`. */
void http_server_free(struct http_server *server);

struct http_counts {
	unsigned int connections;
	unsigned long long accepted;
	unsigned long long refused; /* at the limits of connections */
	unsigned long long requests;
};
struct http_counts http_server_counts(const struct http_server *server);

/* ---- the request ---- */

const char *http_verb(const struct http_exchange *x); /* "POST" */
const char *http_target(const struct http_exchange *x);
bool http_is_http2(const struct http_exchange *x);

/* First header field of that name, in any case; NULL when there is none. */
const char *http_field(const struct http_exchange *x, const char *name);

/* What has come of the body; the handler may drain it. */
struct evbuffer *http_body(const struct http_exchange *x);
bool http_body_ended(const struct http_exchange *x);

/* What the handler has drained is not kept elsewhere: it counts no more. */
void http_body_release(struct http_exchange *x);

const struct caller *http_caller(const struct http_exchange *x);

/* The handler's own, by which it is found again; NULL at first. */
void *http_data(const struct http_exchange *x);
void http_set_data(struct http_exchange *x, void *data);

/* ---- the answer ---- */

/* Where to write the body; sent by what follows. */
struct evbuffer *http_reply_body(const struct http_exchange *x);

/* A header field, before the answer begins; another of its name is no more. */
void http_reply_field(struct http_exchange *x, const char *name, const char *value);

/* All of it, or the rest. The exchange is not the handler's any more. */
void http_reply(struct http_exchange *x, int status);

/*
 * What has been written may leave, if that is so much that it is worth to begin; more follows. What
 * stays small is sent by http_reply() as a whole, with its length.
 */
void http_reply_part(struct http_exchange *x, int status);

/* It can't be ended as it was begun: the client is to see that. Not the handler's any more. */
void http_reply_abort(struct http_exchange *x);

/* In parts: it begins, goes on, ends. After the end the exchange is not the handler's any more. */
void http_reply_begin(struct http_exchange *x, int status);
bool http_reply_begun(const struct http_exchange *x);
void http_reply_flush(struct http_exchange *x);
void http_reply_trailer(struct http_exchange *x, const char *name, const char *value); /* HTTP/2 */
void http_reply_end(struct http_exchange *x);

/* Bytes that the client has not taken. */
size_t http_reply_backlog(const struct http_exchange *x);

#endif
