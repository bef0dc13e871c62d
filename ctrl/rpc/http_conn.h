/* SPDX-License-Identifier: BSD-3-Clause */
/* Between http_server.c (accepts, counts, looks at the clock) and http_conn.c (one connection). */
#ifndef CTRL_RPC_HTTP_CONN_H
#define CTRL_RPC_HTTP_CONN_H

#include <stdint.h>
#include <sys/queue.h>

#include <event2/http.h>

#include "ctrl/rpc/http.h"

/* idle -> request -> call -> reply -> idle ... */
enum http_phase {
	HTTP_IDLE,    /* no byte of a request is here */
	HTTP_REQUEST, /* some are */
	HTTP_CALL,    /* the handler has it */
	HTTP_REPLY,   /* answered; the client is reading */
};

struct http_conn {
	TAILQ_ENTRY(http_conn) link;
	struct http_server *server;
	struct bufferevent *bev;     /* evhttp's */
	struct evhttp_request *call; /* in HTTP_CALL only */
	enum http_phase phase;
	uint64_t deadline_ms; /* of the phase, CLOCK_MONOTONIC */
	size_t charged;       /* bytes of the budget taken for what has arrived */
	bool over_budget;
	void *data;
};

struct http_server {
	struct event_base *base;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *adopt;
	struct event *tick;
	struct http_limits limits;
	struct rpc_budget *budget;
	struct http_handler handler;
	TAILQ_HEAD(, http_conn) conns; /* by the time of their last change of phase */
	unsigned int n_conns;
	struct http_conn *newborn; /* accepted, not adopted yet; not on the list */
};

/* A connection that evhttp is about to make of this bufferevent. NULL: no memory. */
struct http_conn *http_conn_new(struct http_server *server);

/* evhttp has made it: on the list from here on. False: it failed to, and conn is freed. */
bool http_conn_adopt(struct http_conn *conn);

/* Before it was adopted. */
void http_conn_drop(struct http_conn *conn);

/* A whole request has arrived. */
void http_conn_request(struct http_conn *conn, struct evhttp_request *request);

/* End it, with what was going on. */
void http_conn_end(struct http_conn *conn);

/* The same if that is due by now: a deadline, the budget, a client that has left. */
void http_conn_check(struct http_conn *conn, uint64_t now_ms);

uint64_t http_now_ms(void);

#endif
