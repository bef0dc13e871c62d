/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "ctrl/rpc/http_conn.h"

#define PART_MIN (64 * 1024) /* bytes of an answer that is not begun for fewer */

struct http_exchange *http_exchange_new(struct http_conn *conn)
{
	struct http_exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->conn = conn;
	x->body = evbuffer_new();
	x->reply = evbuffer_new();
	TAILQ_INIT(&x->fields);
	TAILQ_INIT(&x->reply_fields);
	TAILQ_INIT(&x->trailers);
	TAILQ_INSERT_TAIL(&conn->exchanges, x, link);
	conn->n_exchanges++;
	if (x->body && x->reply)
		return x;
	http_exchange_free(x);
	return NULL;
}

void http_exchange_free(struct http_exchange *x)
{
	TAILQ_REMOVE(&x->conn->exchanges, x, link);
	x->conn->n_exchanges--;
	rpc_budget_give(x->conn->server->budget, x->charged);
	if (x->body)
		evbuffer_free(x->body);
	if (x->reply)
		evbuffer_free(x->reply);
	evhttp_clear_headers(&x->fields);
	evhttp_clear_headers(&x->reply_fields);
	evhttp_clear_headers(&x->trailers);
	free(x->verb);
	free(x->target);
	free(x);
}

int http_exchange_add_field(struct http_exchange *x, const char *name, size_t name_len,
			    const char *value, size_t value_len)
{
	char *n, *v;
	int rc;

	x->head += name_len + value_len;
	if (x->head > x->conn->server->limits.head || ++x->n_fields > HTTP_FIELDS_MAX)
		return 431;
	n = strndup(name, name_len);
	v = strndup(value, value_len);
	/* Refuses what would be two lines. */
	rc = n && v && !evhttp_add_header(&x->fields, n, v) ? 0 : 400;
	free(n);
	free(v);
	return rc;
}

int http_exchange_add_body(struct http_exchange *x, const void *bytes, size_t len)
{
	struct http_server *server = x->conn->server;

	if (x->over)
		return 0; /* answered already: nobody wants it */
	if (evbuffer_get_length(x->body) + len > server->limits.body)
		return 413;
	if (!rpc_budget_take(server->budget, len))
		return 503;
	x->charged += len;
	return evbuffer_add(x->body, bytes, len) ? 503 : 0;
}

void http_exchange_offer(struct http_exchange *x)
{
	struct http_handler *handler = &x->conn->server->handler;

	if (x->over)
		return;
	x->conn->server->counts.requests += !x->offered;
	x->offered = true;
	handler->request(x, handler->arg);
}

void http_exchange_refuse(struct http_exchange *x, int status, const char *why)
{
	struct http_handler *handler = &x->conn->server->handler;

	if (x->offered && !x->over)
		http_exchange_gone(x);
	else if (!x->over)
		handler->refused(x, status, why, handler->arg);
}

void http_exchange_gone(struct http_exchange *x)
{
	struct http_handler *handler = &x->conn->server->handler;

	if (x->offered && !x->over)
		handler->gone(x, handler->arg);
	x->over = true;
}

/* ---- for the handler ---- */

const char *http_verb(const struct http_exchange *x)
{
	return x->verb ?: "";
}

const char *http_target(const struct http_exchange *x)
{
	return x->target ?: "";
}

bool http_is_http2(const struct http_exchange *x)
{
	return x->conn->version == &http_version_2;
}

const char *http_field(const struct http_exchange *x, const char *name)
{
	return evhttp_find_header(&x->fields, name);
}

struct evbuffer *http_body(const struct http_exchange *x)
{
	return x->body;
}

bool http_body_ended(const struct http_exchange *x)
{
	return x->body_ended;
}

void http_body_release(struct http_exchange *x)
{
	size_t left = evbuffer_get_length(x->body);

	if (x->charged <= left)
		return;
	rpc_budget_give(x->conn->server->budget, x->charged - left);
	x->charged = left;
}

const struct caller *http_caller(const struct http_exchange *x)
{
	return &x->conn->caller;
}

void *http_data(const struct http_exchange *x)
{
	return x->data;
}

void http_set_data(struct http_exchange *x, void *data)
{
	x->data = data;
}

struct evbuffer *http_reply_body(const struct http_exchange *x)
{
	return x->reply;
}

void http_reply_field(struct http_exchange *x, const char *name, const char *value)
{
	evhttp_remove_header(&x->reply_fields, name);
	evhttp_add_header(&x->reply_fields, name, value);
}

void http_reply_trailer(struct http_exchange *x, const char *name, const char *value)
{
	evhttp_add_header(&x->trailers, name, value);
}

void http_reply(struct http_exchange *x, int status)
{
	x->reply_ended = true;
	if (!http_reply_begun(x))
		http_reply_begin(x, status);
	http_reply_end(x);
}

void http_reply_part(struct http_exchange *x, int status)
{
	if (!http_reply_begun(x) && evbuffer_get_length(x->reply) < PART_MIN)
		return;
	if (!http_reply_begun(x))
		http_reply_begin(x, status);
	http_reply_flush(x);
}

void http_reply_abort(struct http_exchange *x)
{
	x->over = true;
	x->conn->version->abort(x);
}

void http_reply_begin(struct http_exchange *x, int status)
{
	x->status = status;
	x->conn->version->begin(x);
}

bool http_reply_begun(const struct http_exchange *x)
{
	return x->status != 0;
}

void http_reply_flush(struct http_exchange *x)
{
	x->conn->version->flush(x);
}

void http_reply_end(struct http_exchange *x)
{
	x->reply_ended = true;
	x->over = true;
	x->conn->version->end(x);
}

size_t http_reply_backlog(const struct http_exchange *x)
{
	return x->conn->version->backlog(x);
}

const char *http_status_text(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 417: return "Expectation Failed";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 499: return "Client Closed Request";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	default: return "Unknown";
	}
}
