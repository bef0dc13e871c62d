/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection is a bufferevent, plain or TLS, whose first bytes tell the version of HTTP.
 *
 * It is freed in one place, on_event(), from the event loop: http_conn_end() only asks for that,
 * so that neither a version's code nor a handler ever finds its connection gone under it.
 */
#include "ctrl/rpc/http_conn.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <sluice/log.h>

#include "ctrl/rpc/tls.h"

SL_LOG_TYPE(http_log, "sluice.ctrl.http");

#define INPUT_MAX 16384 /* bytes ahead of what reads them */
/* For a client that is still sending to read the answer: */
#define LINGER_MS  2000
#define LINGER_MAX (1024 * 1024) /* bytes */
#define PREFACE    "PRI "

uint64_t http_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct evbuffer *http_conn_input(const struct http_conn *conn)
{
	return bufferevent_get_input(conn->bev);
}

struct evbuffer *http_conn_output(const struct http_conn *conn)
{
	return bufferevent_get_output(conn->bev);
}

static uint64_t phase_ms(const struct http_conn *conn, enum http_phase phase)
{
	const struct http_limits *limits = &conn->server->limits;

	switch (phase) {
	case PHASE_IDLE: return limits->idle * 1000ull;
	case PHASE_HANDSHAKE:
	case PHASE_REQUEST: return limits->request * 1000ull;
	case PHASE_CALL: break; /* the call has a clock of its own */
	case PHASE_REPLY: return limits->reply * 1000ull;
	case PHASE_LINGER: return LINGER_MS;
	}
	return UINT64_MAX / 2;
}

void http_conn_phase(struct http_conn *conn, enum http_phase phase)
{
	struct http_server *server = conn->server;

	conn->phase = phase;
	conn->deadline_ms = http_now_ms() + phase_ms(conn, phase);
	TAILQ_REMOVE(&server->conns, conn, link);
	TAILQ_INSERT_TAIL(&server->conns, conn, link);
}

void http_conn_end(struct http_conn *conn)
{
	if (conn->dead)
		return;
	conn->dead = true;
	bufferevent_disable(conn->bev, EV_READ);
	bufferevent_trigger_event(conn->bev, BEV_EVENT_ERROR, BEV_TRIG_DEFER_CALLBACKS);
}

static void ignore_input(struct http_conn *conn)
{
	struct evbuffer *input = http_conn_input(conn);

	conn->lingered += evbuffer_get_length(input);
	evbuffer_drain(input, evbuffer_get_length(input));
	if (conn->lingered > LINGER_MAX)
		http_conn_end(conn);
}

/* The answer is on its way; wait for the client to have read it before the socket is closed. */
static void linger(struct http_conn *conn)
{
	SSL *ssl = conn->tls ? bufferevent_openssl_get_ssl(conn->bev) : NULL;

	if (conn->half_closed) {
		http_conn_end(conn);
		return;
	}
	http_conn_phase(conn, PHASE_LINGER);
	if (ssl)
		SSL_shutdown(ssl);
	shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
	ignore_input(conn);
}

void http_conn_finish(struct http_conn *conn)
{
	conn->finishing = true;
	if (evbuffer_get_length(http_conn_output(conn)))
		http_conn_phase(conn, PHASE_REPLY);
	else
		linger(conn);
}

/* ---- what the bufferevent tells ---- */

/* False: not enough is here to tell, or it can't be served. */
static bool find_version(struct http_conn *conn)
{
	struct evbuffer *input = http_conn_input(conn);
	char start[sizeof(PREFACE) - 1];
	size_t n = (size_t)evbuffer_copyout(input, start, sizeof(start));
	bool http2 = !memcmp(start, PREFACE, n);

	if (http2 && n < sizeof(start))
		return false;
	conn->version = http2 ? &http_version_2 : &http_version_1;
	if (conn->version->open(conn) == 0)
		return true;
	conn->version = NULL;
	http_conn_end(conn);
	return false;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct http_conn *conn = arg;

	(void)bev;
	if (conn->dead)
		return;
	if (conn->phase == PHASE_LINGER) {
		ignore_input(conn);
		return;
	}
	if (conn->phase == PHASE_IDLE)
		http_conn_phase(conn, PHASE_REQUEST);
	if (!conn->version && !find_version(conn))
		return;
	if (!conn->version->input(conn))
		http_conn_end(conn);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct http_conn *conn = arg;

	(void)bev;
	if (conn->dead || conn->phase == PHASE_LINGER)
		return;
	if (conn->finishing)
		linger(conn);
	else if (conn->version)
		conn->version->output(conn);
}

/* The client reads: it has as long again for the rest. */
static void on_taken(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *conn = arg;

	(void)output;
	if (info->n_deleted || info->orig_size == 0)
		conn->taken_ms = http_now_ms();
}

static void say_why(const struct http_conn *conn)
{
	unsigned long error = bufferevent_get_openssl_error(conn->bev);

	if (conn->phase == PHASE_HANDSHAKE && error)
		sl_log(http_log, NOTICE, "%s: no TLS connection: %s", conn->caller.address,
		       ERR_reason_error_string(error));
}

/* Closed both ways; a client that only has nothing more to say still wants its answer. */
static bool has_left(const struct http_conn *conn)
{
	struct pollfd p = {.fd = bufferevent_getfd(conn->bev)};

	return poll(&p, 1, 0) > 0;
}

/* A certificate tells, or the socket has told. */
static void set_role(struct http_conn *conn)
{
	struct http_handler *handler = &conn->server->handler;
	SSL *ssl = conn->tls ? bufferevent_openssl_get_ssl(conn->bev) : NULL;

	if (ssl)
		tls_identify(ssl, &conn->caller);
	handler->identify(&conn->caller, bufferevent_getfd(conn->bev), ssl, handler->arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct http_conn *conn = arg;

	(void)bev;
	if (conn->dead || what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) {
		say_why(conn);
		http_conn_free(conn);
	} else if (what & BEV_EVENT_CONNECTED) {
		set_role(conn);
		http_conn_phase(conn, PHASE_IDLE);
	} else if (what & BEV_EVENT_EOF) {
		conn->half_closed = true;
		if (conn->tls || has_left(conn) || conn->version == &http_version_2 ||
		    (conn->phase != PHASE_CALL && conn->phase != PHASE_REPLY))
			http_conn_free(conn);
	}
}

/* ---- its life ---- */

static struct http_peer *peer_get(struct http_server *server, const char *name)
{
	struct http_peer *peer;

	LIST_FOREACH (peer, &server->peers, link)
		if (!strcmp(peer->name, name))
			break;
	if (!peer) {
		peer = calloc(1, sizeof(*peer));
		if (!peer)
			return NULL;
		snprintf(peer->name, sizeof(peer->name), "%s", name);
		LIST_INSERT_HEAD(&server->peers, peer, link);
	}
	peer->connections++;
	return peer;
}

static void peer_put(struct http_peer *peer)
{
	if (!peer || --peer->connections)
		return;
	LIST_REMOVE(peer, link);
	free(peer);
}

/* The socket stays the caller's when it can't be made. */
static struct bufferevent *bufferevent_of(struct http_listener *listener, evutil_socket_t fd)
{
	struct event_base *base = listener->server->base;
	struct bufferevent *bev;
	SSL *ssl;

	if (!listener->tls)
		return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	ssl = SSL_new(listener->tls);
	if (!ssl)
		return NULL;
	bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
					     BEV_OPT_CLOSE_ON_FREE);
	if (bev)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev; /* if there is none, the library has freed ssl */
}

/* Who is there, as far as the socket tells. */
static void identify(struct http_conn *conn, evutil_socket_t fd)
{
	char name[sizeof(conn->peer->name)];

	caller_of_socket(&conn->caller, fd, name, sizeof(name));
	conn->peer = peer_get(conn->server, name);
	if (!conn->tls)
		set_role(conn);
}

bool http_conn_new(struct http_listener *listener, evutil_socket_t fd)
{
	struct http_conn *conn = calloc(1, sizeof(*conn));
	struct http_server *server = listener->server;

	if (conn)
		conn->bev = bufferevent_of(listener, fd);
	if (!conn || !conn->bev) {
		free(conn);
		evutil_closesocket(fd);
		return false;
	}
	conn->server = server;
	conn->tls = listener->tls != NULL;
	TAILQ_INIT(&conn->exchanges);
	TAILQ_INSERT_TAIL(&server->conns, conn, link);
	server->counts.connections++;
	identify(conn, fd);
	http_conn_phase(conn, conn->tls ? PHASE_HANDSHAKE : PHASE_IDLE);
	bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, INPUT_MAX);
	if (conn->peer && evbuffer_add_cb(http_conn_output(conn), on_taken, conn) &&
	    !bufferevent_enable(conn->bev, EV_READ | EV_WRITE))
		return true;
	http_conn_free(conn);
	return false;
}

void http_conn_free(struct http_conn *conn)
{
	struct http_exchange *x;

	TAILQ_FOREACH (x, &conn->exchanges, link)
		http_exchange_gone(x);
	if (conn->version)
		conn->version->close(conn);
	while ((x = TAILQ_FIRST(&conn->exchanges)))
		http_exchange_free(x);
	TAILQ_REMOVE(&conn->server->conns, conn, link);
	conn->server->counts.connections--;
	peer_put(conn->peer);
	bufferevent_free(conn->bev);
	free(conn);
}

/* ---- the clock ---- */

/* In the middle of a request, where no handler is: as much as the socket takes. */
static void refuse_slow(struct http_conn *conn)
{
	static const char text[] =
		"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

	if (!evbuffer_get_length(http_conn_output(conn)) && conn->version == &http_version_1) {
		evbuffer_add(http_conn_output(conn), text, sizeof(text) - 1);
		http_conn_finish(conn);
	} else {
		http_conn_end(conn);
	}
}

/* The client has taken nothing for too long of what waits for it. */
static bool is_stuck(const struct http_conn *conn, uint64_t now_ms)
{
	return evbuffer_get_length(http_conn_output(conn)) &&
	       now_ms >= conn->taken_ms + phase_ms(conn, PHASE_REPLY);
}

void http_conn_check(struct http_conn *conn, uint64_t now_ms)
{
	if (conn->dead)
		return;
	if (conn->version && conn->phase == PHASE_CALL)
		conn->version->check(conn, now_ms);
	if (is_stuck(conn, now_ms))
		http_conn_end(conn);
	else if (!conn->tls && conn->phase != PHASE_LINGER && has_left(conn))
		http_conn_end(conn);
	else if (conn->phase == PHASE_REQUEST && now_ms >= conn->deadline_ms)
		refuse_slow(conn);
	else if (conn->phase != PHASE_REPLY && now_ms >= conn->deadline_ms)
		http_conn_end(conn);
}
