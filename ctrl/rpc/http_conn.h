/* SPDX-License-Identifier: BSD-3-Clause */
/* What http_*.c share: the server, a connection, an exchange, a version of the protocol. */
#ifndef CTRL_RPC_HTTP_CONN_H
#define CTRL_RPC_HTTP_CONN_H

#include <stdint.h>
#include <sys/queue.h>

#include <event2/keyvalq_struct.h>

#include "ctrl/rpc/http.h"

#define HTTP_FIELDS_MAX 100
#define HTTP_OUTPUT_LOW (64 * 1024) /* bytes ahead of the socket; more is not written there */

/* A connection of HTTP/1.1: idle -> request -> call -> reply -> idle ... */
enum http_phase {
	PHASE_HANDSHAKE, /* of TLS */
	PHASE_IDLE,      /* no byte of a request is here */
	PHASE_REQUEST,   /* some are */
	PHASE_CALL,      /* the handler has it */
	PHASE_REPLY,     /* it has answered, or does; the client is reading */
	PHASE_LINGER,    /* the last byte is sent; what still comes is not read */
};

struct http_conn;
struct http_exchange;

/* A version of HTTP on a connection. */
struct http_version {
	/* 0, or -ENOMEM. */
	int (*open)(struct http_conn *conn);
	void (*close)(struct http_conn *conn);
	/* Bytes are in the input. False: the connection has to end. */
	bool (*input)(struct http_conn *conn);
	/* There is room in the output. */
	void (*output)(struct http_conn *conn);
	/* Once a second. */
	void (*check)(struct http_conn *conn, uint64_t now_ms);
	/* x->status, fields and body so far; then more of the body; then the end. */
	void (*begin)(struct http_exchange *x);
	void (*flush)(struct http_exchange *x);
	void (*end)(struct http_exchange *x);
	/* No end: what was sent is not all. */
	void (*abort)(struct http_exchange *x);
	size_t (*backlog)(const struct http_exchange *x);
};

extern const struct http_version http_version_1;
extern const struct http_version http_version_2;

struct http_exchange {
	TAILQ_ENTRY(http_exchange) link;
	struct http_conn *conn;
	/* the request */
	char *verb, *target;
	struct evkeyvalq fields;
	unsigned int n_fields;
	size_t head; /* bytes of all that */
	struct evbuffer *body;
	bool body_ended;
	bool offered; /* the handler has seen it */
	size_t charged;
	/* the answer */
	int status; /* 0: not begun */
	struct evkeyvalq reply_fields, trailers;
	struct evbuffer *reply;
	bool reply_ended;
	bool over; /* the handler is done with it */
	void *data;
	/* HTTP/2 */
	int32_t stream;
	size_t discarded; /* bytes of the body that came after the answer's end */
	bool news;        /* for the handler */
	int refusal;      /* status, 0: none */
	const char *why;
	bool drained;         /* to be told to the handler */
	uint64_t deadline_ms; /* of the request's end, then of the client's taking the reply */
};
TAILQ_HEAD(http_exchanges, http_exchange);

struct http_listener {
	LIST_ENTRY(http_listener) link;
	struct http_server *server;
	struct evconnlistener *listener;
	struct ssl_ctx_st *tls; /* NULL: none */
	unsigned int accepted;
};

/* Connections of one peer. */
struct http_peer {
	LIST_ENTRY(http_peer) link;
	char name[64]; /* "uid 1000", "192.0.2.1" */
	unsigned int connections;
};

struct http_conn {
	TAILQ_ENTRY(http_conn) link;
	struct http_server *server;
	struct http_peer *peer;
	struct bufferevent *bev;
	const struct http_version *version; /* NULL: not known yet */
	void *state;                        /* the version's */
	enum http_phase phase;
	uint64_t deadline_ms; /* of the phase, CLOCK_MONOTONIC */
	size_t charged;       /* bytes of the budget taken for what is in the input */
	struct caller caller;
	struct http_exchanges exchanges;
	unsigned int n_exchanges;
	bool tls;
	bool half_closed;  /* the client sends no more */
	bool finishing;    /* what is in the output is the last */
	bool dead;         /* to be freed */
	size_t lingered;   /* bytes that were not read any more */
	uint64_t taken_ms; /* the client has last taken something, or nothing waited for it */
};

struct http_server {
	struct event_base *base;
	struct event *tick;
	struct event *resume; /* accepting */
	bool started;
	struct http_limits limits;
	struct rpc_budget *budget;
	struct http_handler handler;
	LIST_HEAD(, http_listener) listeners;
	LIST_HEAD(, http_peer) peers;
	TAILQ_HEAD(http_conns, http_conn) conns; /* by the time of their last change of phase */
	struct http_counts counts;
};

/* ---- http_conn.c ---- */

/* A socket that was accepted, taken over. False: no memory. */
bool http_conn_new(struct http_listener *listener, evutil_socket_t fd);

/* End it at once, with what was going on. Not while it is in anybody's hands: see http_conn.c. */
void http_conn_free(struct http_conn *conn);

/* The same from the event loop, soon. */
void http_conn_end(struct http_conn *conn);

/* Send what is in the output, then close. */
void http_conn_finish(struct http_conn *conn);

/* Once a second: deadlines, clients that have left. */
void http_conn_check(struct http_conn *conn, uint64_t now_ms);

void http_conn_phase(struct http_conn *conn, enum http_phase phase);
struct evbuffer *http_conn_input(const struct http_conn *conn);
struct evbuffer *http_conn_output(const struct http_conn *conn);

uint64_t http_now_ms(void);

/* ---- http_exchange.c ---- */

/* NULL: no memory. */
struct http_exchange *http_exchange_new(struct http_conn *conn);
void http_exchange_free(struct http_exchange *x);

/* 0, or the status of a refusal. */
int http_exchange_add_field(struct http_exchange *x, const char *name, size_t name_len,
			    const char *value, size_t value_len);

/* Bytes of the body. 0, or the status of a refusal. */
int http_exchange_add_body(struct http_exchange *x, const void *bytes, size_t len);

/* Hand it to the handler, if that is still interested. */
void http_exchange_offer(struct http_exchange *x);
void http_exchange_refuse(struct http_exchange *x, int status, const char *why);

/* The client has left it. */
void http_exchange_gone(struct http_exchange *x);

const char *http_status_text(int status);

#endif
