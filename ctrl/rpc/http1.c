/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/1.1 (RFC 9112), parsed by http_parser. It is told to pause at a request's end, so that what
 * a client sends ahead stays in the input, whose size is bounded, until the answer has left.
 *
 * http_parser is lenient where servers have disagreed about a request's end; check_framing() is
 * not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <http_parser.h>

#include "ctrl/rpc/http_conn.h"

struct http1 {
	struct http_parser parser;
	struct http_exchange *x; /* being read, or answered */
	struct evbuffer *name;   /* of the field being read */
	struct evbuffer *value;
	bool in_value;
	bool complete;
	bool keep_alive; /* after the answer */
	bool chunked;    /* the answer */
	int refusal;     /* status, or 0 */
	const char *why;
};

static int refuse(struct http1 *h, int status, const char *why)
{
	if (!h->refusal) {
		h->refusal = status;
		h->why = why;
	}
	return 1; /* makes the parser stop */
}

/* ---- what the parser finds ---- */

static struct http1 *http1_of(http_parser *parser)
{
	return parser->data;
}

static int add_text(struct http1 *h, struct evbuffer *to, const char *at, size_t len)
{
	if (evbuffer_get_length(to) + len > h->x->conn->server->limits.head)
		return refuse(h, 431, "the header is too large");
	return evbuffer_add(to, at, len) ? refuse(h, 503, "no memory") : 0;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct http1 *h = http1_of(parser);

	return add_text(h, h->value, at, len);
}

/* A field is whole when the next begins. */
static int end_field(struct http1 *h)
{
	size_t name_len = evbuffer_get_length(h->name), value_len = evbuffer_get_length(h->value);
	const char *name = (const char *)evbuffer_pullup(h->name, -1);
	const char *value = (const char *)evbuffer_pullup(h->value, -1);
	int status;

	if (!h->in_value && !name_len)
		return 0;
	status = http_exchange_add_field(h->x, name ?: "", name_len, value ?: "", value_len);
	evbuffer_drain(h->name, name_len);
	evbuffer_drain(h->value, value_len);
	h->in_value = false;
	return status ? refuse(h, status, "the header's fields are too large or malformed") : 0;
}

/* The request line is whole when the first field begins, or the header ends. */
static int end_target(struct http1 *h)
{
	size_t len = evbuffer_get_length(h->value);

	if (h->x->target)
		return 0;
	h->x->target = strndup((const char *)evbuffer_pullup(h->value, -1) ?: "", len);
	h->x->verb = strdup(http_method_str(h->parser.method));
	evbuffer_drain(h->value, len);
	return h->x->target && h->x->verb ? 0 : refuse(h, 503, "no memory");
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
	struct http1 *h = http1_of(parser);

	if (end_target(h) || (h->in_value && end_field(h)))
		return 1;
	return add_text(h, h->name, at, len);
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct http1 *h = http1_of(parser);

	h->in_value = true;
	return add_text(h, h->value, at, len);
}

static unsigned int count_fields(const struct http_exchange *x, const char *name)
{
	const struct evkeyval *field;
	unsigned int n = 0;

	TAILQ_FOREACH (field, &x->fields, next)
		n += !strcasecmp(field->key, name);
	return n;
}

/* Nothing that two readers could read in two ways. */
static int check_framing(struct http1 *h)
{
	const char *length = http_field(h->x, "Content-Length");
	const char *encoding = http_field(h->x, "Transfer-Encoding");

	if (count_fields(h->x, "Content-Length") + count_fields(h->x, "Transfer-Encoding") > 1)
		return refuse(h, 400, "more than one field tells the body's length");
	if (length && (!*length || length[strspn(length, "0123456789")]))
		return refuse(h, 400, "Content-Length: not a number");
	if (length && strtoull(length, NULL, 10) > h->x->conn->server->limits.body)
		return refuse(h, 413, "the body is larger than is served");
	if (encoding && strcasecmp(encoding, "chunked"))
		return refuse(h, 501, "Transfer-Encoding: chunked alone is served");
	return 0;
}

static int check_verb(struct http1 *h)
{
	static const char *const others[] = {"HEAD", "CONNECT", "TRACE"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(h->x->verb, others[i]))
			return refuse(h, 501, "no method that is served");
	return 0;
}

static int check_expect(struct http1 *h)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const char *expect = http_field(h->x, "Expect");

	if (!expect)
		return 0;
	if (strcasecmp(expect, "100-continue"))
		return refuse(h, 417, "Expect: 100-continue alone is served");
	evbuffer_add(http_conn_output(h->x->conn), text, sizeof(text) - 1);
	return 0;
}

static int on_head(http_parser *parser)
{
	struct http1 *h = http1_of(parser);

	if (end_target(h) || end_field(h))
		return 1;
	if (parser->http_major != 1)
		return refuse(h, 505, "HTTP/1.1, 1.0 and 2 are served");
	if (check_verb(h) || check_framing(h) || check_expect(h))
		return 1;
	h->keep_alive = parser->http_minor >= 1 && http_should_keep_alive(parser);
	h->chunked = parser->http_minor >= 1;
	return parser->upgrade ? refuse(h, 501, "Upgrade is not served") : 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct http1 *h = http1_of(parser);
	int status = http_exchange_add_body(h->x, at, len);

	if (!status)
		return 0;
	return refuse(h, status,
		      status == 413 ? "the body is larger than is served"
				    : "no memory is left for requests");
}

static int on_complete(http_parser *parser)
{
	http1_of(parser)->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

static const struct http_parser_settings settings = {
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_head,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* ---- requests ---- */

static void start(struct http1 *h)
{
	http_parser_init(&h->parser, HTTP_REQUEST);
	h->parser.data = h;
	h->x = NULL;
	h->complete = h->in_value = false;
	evbuffer_drain(h->name, evbuffer_get_length(h->name));
	evbuffer_drain(h->value, evbuffer_get_length(h->value));
}

static int http1_open(struct http_conn *conn)
{
	struct http1 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	conn->state = h;
	h->name = evbuffer_new();
	h->value = evbuffer_new();
	if (!h->name || !h->value)
		return -ENOMEM;
	start(h);
	return 0;
}

static void http1_close(struct http_conn *conn)
{
	struct http1 *h = conn->state;

	if (!h)
		return;
	if (h->name)
		evbuffer_free(h->name);
	if (h->value)
		evbuffer_free(h->value);
	free(h);
}

static void explain(struct http1 *h)
{
	switch (HTTP_PARSER_ERRNO(&h->parser)) {
	case HPE_INVALID_METHOD: refuse(h, 501, "no method that is served"); break;
	case HPE_HEADER_OVERFLOW: refuse(h, 431, "the header is too large"); break;
	default: refuse(h, 400, http_errno_description(HTTP_PARSER_ERRNO(&h->parser))); break;
	}
}

/* The bytes that lie together at the front of the input. False: something was wrong with them. */
static bool parse_some(struct http1 *h, struct evbuffer *input)
{
	struct evbuffer_iovec bytes;
	size_t done;

	if (evbuffer_peek(input, -1, NULL, &bytes, 1) < 1)
		return true;
	done = http_parser_execute(&h->parser, &settings, bytes.iov_base, bytes.iov_len);
	if (HTTP_PARSER_ERRNO(&h->parser) == HPE_PAUSED)
		http_parser_pause(&h->parser, 0);
	else if (HTTP_PARSER_ERRNO(&h->parser) != HPE_OK)
		explain(h);
	evbuffer_drain(input, done);
	return !h->refusal;
}

static void hand_over(struct http_conn *conn, struct http1 *h)
{
	struct http_exchange *x = h->x;

	http_conn_phase(conn, PHASE_CALL);
	x->body_ended = true;
	if (h->refusal) {
		h->keep_alive = false;
		http_exchange_refuse(x, h->refusal, h->why);
	} else {
		http_exchange_offer(x);
	}
}

static bool http1_input(struct http_conn *conn)
{
	struct http1 *h = conn->state;
	struct evbuffer *input = http_conn_input(conn);

	if (conn->phase != PHASE_REQUEST)
		return true;
	if (!h->x)
		h->x = http_exchange_new(conn);
	if (!h->x)
		return false;
	while (evbuffer_get_length(input) && !h->complete && parse_some(h, input))
		;
	if (h->complete || h->refusal)
		hand_over(conn, h);
	return true;
}

/* ---- answers ---- */

static void put_fields(struct evbuffer *out, const struct evkeyvalq *fields)
{
	const struct evkeyval *field;

	TAILQ_FOREACH (field, fields, next)
		evbuffer_add_printf(out, "%s: %s\r\n", field->key, field->value);
}

/* The exchange is over; its connection may serve the next one. */
static void next_request(struct http_conn *conn, struct http1 *h)
{
	http_exchange_free(h->x);
	start(h);
	http_conn_phase(conn, PHASE_IDLE);
	if (evbuffer_get_length(http_conn_input(conn)))
		bufferevent_trigger(conn->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

static void http1_begin(struct http_exchange *x)
{
	struct http1 *h = x->conn->state;
	struct evbuffer *out = http_conn_output(x->conn);

	http_conn_phase(x->conn, PHASE_REPLY);
	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\n", x->status, http_status_text(x->status));
	put_fields(out, &x->reply_fields);
	if (x->reply_ended) {
		h->chunked = false;
		evbuffer_add_printf(out, "Content-Length: %zu\r\n", evbuffer_get_length(x->reply));
	} else if (h->chunked) {
		evbuffer_add_printf(out, "Transfer-Encoding: chunked\r\n");
	} else {
		h->keep_alive = false; /* HTTP/1.0: the end of the connection is the body's */
	}
	if (!h->keep_alive)
		evbuffer_add_printf(out, "Connection: close\r\n");
	evbuffer_add(out, "\r\n", 2);
}

static void http1_flush(struct http_exchange *x)
{
	struct http1 *h = x->conn->state;
	struct evbuffer *out = http_conn_output(x->conn);
	size_t len = evbuffer_get_length(x->reply);

	if (!len)
		return;
	if (h->chunked)
		evbuffer_add_printf(out, "%zx\r\n", len);
	evbuffer_add_buffer(out, x->reply);
	if (h->chunked)
		evbuffer_add(out, "\r\n", 2);
}

static void http1_end(struct http_exchange *x)
{
	struct http1 *h = x->conn->state;
	struct http_conn *conn = x->conn;

	http1_flush(x);
	if (h->chunked)
		evbuffer_add(http_conn_output(conn), "0\r\n\r\n", 5);
	if (!h->keep_alive)
		http_conn_finish(conn);
}

/* A body without its last chunk, or of another length than was said. */
static void http1_abort(struct http_exchange *x)
{
	http_conn_end(x->conn);
}

/* All that was written has been taken. */
static void http1_output(struct http_conn *conn)
{
	struct http1 *h = conn->state;
	struct http_handler *handler = &conn->server->handler;

	if (conn->phase != PHASE_REPLY || !h->x)
		return;
	if (h->x->over)
		next_request(conn, h);
	else if (h->x->status)
		handler->drained(h->x, handler->arg);
}

static size_t http1_backlog(const struct http_exchange *x)
{
	return evbuffer_get_length(x->reply) + evbuffer_get_length(http_conn_output(x->conn));
}

static void http1_check(struct http_conn *conn, uint64_t now_ms)
{
	(void)conn;
	(void)now_ms;
}

const struct http_version http_version_1 = {
	.open = http1_open,
	.close = http1_close,
	.input = http1_input,
	.output = http1_output,
	.check = http1_check,
	.begin = http1_begin,
	.flush = http1_flush,
	.end = http1_end,
	.abort = http1_abort,
	.backlog = http1_backlog,
};
