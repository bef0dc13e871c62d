/* SPDX-License-Identifier: BSD-3-Clause */
/* Between http_server.c (accepts, counts) and http_conn.c (one connection's life). */
#ifndef CTRL_RPC_HTTP_CONN_H
#define CTRL_RPC_HTTP_CONN_H

#include <sys/queue.h>

#include <event2/event.h>

#include "ctrl/rpc/http.h"

enum http_phase {
	HTTP_HEAD,   /* waiting for a request, or in its head */
	HTTP_BODY,   /* in its body */
	HTTP_CALL,   /* the handler has it */
	HTTP_REPLY,  /* answered; the client is reading */
	HTTP_LINGER, /* answered before the request's end: reads on for a while, to no purpose
		      * but that the answer isn't lost to a reset */
};

struct http_conn {
	TAILQ_ENTRY(http_conn) link;
	struct http_server *server;
	struct bufferevent *bev;
	struct event *deadline; /* of the phase */
	enum http_phase phase;
	bool close_after; /* the reply */
	bool started;     /* a request's first byte is here */
	uint64_t serial;  /* of the last phase change, for the longest idle one */
	char *head_text;  /* what `head` points into */
	struct http_head head;
	struct http_chunked chunked;
	struct evbuffer *body;
	struct evbuffer *reply;
	size_t charged; /* bytes of the budget taken for the body */
	void *data;
};

struct http_server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *resume; /* after accept failed */
	struct http_limits limits;
	struct rpc_budget *budget;
	struct http_handler handler;
	TAILQ_HEAD(, http_conn) conns;
	unsigned int n_conns;
	uint64_t serial;
};

/* On the server's list. NULL when there is no memory; the socket is then closed. */
struct http_conn *http_conn_new(struct http_server *server, evutil_socket_t fd);

/* End it, with what was going on, and off the list. */
void http_conn_free(struct http_conn *conn);

/* No request is under way. */
bool http_conn_is_idle(const struct http_conn *conn);

#endif
