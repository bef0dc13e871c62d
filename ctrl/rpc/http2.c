/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/2 (RFC 9113) by nghttp2. Its session turns bytes into callbacks, in which nothing is done
 * but taking notes: run() then tells the handler what is new, writes what there is room for, and
 * tells whose reply has been taken, until nothing of that is left. What a handler does in between
 * comes back here and is left to the run() that is under way.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <nghttp2/nghttp2.h>

#include "ctrl/rpc/http_conn.h"

#define STREAM_WINDOW     (256 * 1024)
#define CONNECTION_WINDOW (1024 * 1024)
#define REPLY_FIELDS_MAX  32

struct http2 {
	nghttp2_session *session;
	bool running;
	bool again; /* there is more to do for run() */
};

static struct http_exchange *find(nghttp2_session *session, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(session, stream);
}

static void note(struct http_exchange *x)
{
	x->news = true;
}

static void note_refusal(struct http_exchange *x, int status, const char *why)
{
	if (!x->refusal) {
		x->refusal = status;
		x->why = why;
	}
	note(x);
}

/* ---- what the session finds ---- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_conn *conn = arg;
	struct http_exchange *x;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	x = http_exchange_new(conn);
	if (!x)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	x->stream = frame->hd.stream_id;
	x->deadline_ms = http_now_ms() + conn->server->limits.request * 1000ull;
	nghttp2_session_set_stream_user_data(session, x->stream, x);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct http_exchange *x = find(session, frame->hd.stream_id);
	char **pseudo = NULL;
	int status;

	(void)flags;
	(void)arg;
	if (!x || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0; /* trailers say nothing to us */
	if (!strcmp((const char *)name, ":method"))
		pseudo = &x->verb;
	else if (!strcmp((const char *)name, ":path"))
		pseudo = &x->target;
	if (pseudo) {
		*pseudo = strndup((const char *)value, value_len);
		return *pseudo ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	status = http_exchange_add_field(x, (const char *)name, name_len, (const char *)value,
					 value_len);
	if (status)
		note_refusal(x, status, "the header's fields are too large or malformed");
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http_exchange *x;

	(void)arg;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	x = find(session, frame->hd.stream_id);
	if (!x)
		return 0;
	x->body_ended |= (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	note(x);
	return 0;
}

/*
 * Answered before the request has ended. A reset would tell the client that the rest is not wanted,
 * but some forget the answer then; so only those that don't come to an end are told.
 */
static int discard(nghttp2_session *session, struct http_exchange *x, size_t len)
{
	size_t limit = x->conn->server->limits.body;

	if (x->discarded <= limit && x->discarded + len > limit)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, x->stream, NGHTTP2_NO_ERROR);
	x->discarded += len;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
		   size_t len, void *arg)
{
	struct http_exchange *x = find(session, stream);
	int status;

	(void)flags;
	(void)arg;
	if (!x)
		return 0;
	if (x->over)
		return discard(session, x, len);
	status = http_exchange_add_body(x, bytes, len);
	if (status)
		note_refusal(x, status, "the body is larger than is served now");
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *arg)
{
	struct http_exchange *x = find(session, stream);

	(void)error;
	(void)arg;
	if (!x)
		return 0;
	nghttp2_session_set_stream_user_data(session, stream, NULL);
	http_exchange_gone(x);
	http_exchange_free(x);
	return 0;
}

static nghttp2_session *session_new(struct http_conn *conn)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;

	if (nghttp2_session_callbacks_new(&callbacks))
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	if (nghttp2_session_server_new(&session, callbacks, conn))
		session = NULL;
	nghttp2_session_callbacks_del(callbacks);
	return session;
}

static int http2_open(struct http_conn *conn)
{
	const struct http_limits *limits = &conn->server->limits;
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head},
	};
	struct http2 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	conn->state = h;
	h->session = session_new(conn);
	if (!h->session ||
	    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
				    sizeof(settings) / sizeof(settings[0])) ||
	    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
						  CONNECTION_WINDOW))
		return -ENOMEM;
	return 0;
}

static void http2_close(struct http_conn *conn)
{
	struct http2 *h = conn->state;
	struct http_exchange *x;

	if (!h)
		return;
	TAILQ_FOREACH (x, &conn->exchanges, link)
		nghttp2_session_set_stream_user_data(h->session, x->stream, NULL);
	nghttp2_session_del(h->session);
	free(h);
	conn->state = NULL;
}

/* ---- telling, writing, telling ---- */

static void give_up(struct http2 *h, struct http_exchange *x, uint32_t error)
{
	http_exchange_gone(x);
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream, error);
}

static void tell_news(struct http_conn *conn, struct http2 *h)
{
	struct http_exchange *x;

	TAILQ_FOREACH (x, &conn->exchanges, link) {
		if (!x->news)
			continue;
		x->news = false;
		if (x->refusal && x->offered && !x->over)
			give_up(h, x, NGHTTP2_ENHANCE_YOUR_CALM);
		else if (x->refusal)
			http_exchange_refuse(x, x->refusal, x->why);
		else
			http_exchange_offer(x);
	}
}

static void tell_drained(struct http_conn *conn)
{
	struct http_handler *handler = &conn->server->handler;
	struct http_exchange *x;

	TAILQ_FOREACH (x, &conn->exchanges, link) {
		if (x->drained && !x->over)
			handler->drained(x, handler->arg);
		x->drained = false;
	}
}

static void write_some(struct http_conn *conn, struct http2 *h)
{
	struct evbuffer *out = http_conn_output(conn);

	while (evbuffer_get_length(out) < HTTP_OUTPUT_LOW) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(h->session, &bytes);

		if (n < 0 || (n > 0 && evbuffer_add(out, bytes, (size_t)n)))
			http_conn_end(conn);
		if (n <= 0)
			break;
	}
}

static void settle_phase(struct http_conn *conn, struct http2 *h)
{
	enum http_phase phase = conn->n_exchanges ? PHASE_CALL : PHASE_IDLE;

	if (conn->finishing)
		return;
	if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
		http_conn_finish(conn);
	else if (conn->phase != phase)
		http_conn_phase(conn, phase);
}

static void run(struct http_conn *conn)
{
	struct http2 *h = conn->state;

	h->again = true;
	if (h->running)
		return;
	h->running = true;
	while (h->again && !conn->dead) {
		h->again = false;
		tell_news(conn, h);
		write_some(conn, h);
		tell_drained(conn);
	}
	h->running = false;
	settle_phase(conn, h);
}

static bool http2_input(struct http_conn *conn)
{
	struct http2 *h = conn->state;
	struct evbuffer *input = http_conn_input(conn);
	struct evbuffer_iovec bytes;
	ssize_t n = 0;

	while (n >= 0 && evbuffer_peek(input, -1, NULL, &bytes, 1) > 0) {
		n = nghttp2_session_mem_recv(h->session, bytes.iov_base, bytes.iov_len);
		if (n > 0)
			evbuffer_drain(input, (size_t)n);
	}
	run(conn); /* on an error, too: the session has the last word to the client */
	if (n < 0)
		http_conn_finish(conn);
	return true;
}

static void http2_output(struct http_conn *conn)
{
	run(conn);
}

static void http2_check(struct http_conn *conn, uint64_t now_ms)
{
	struct http2 *h = conn->state;
	struct http_exchange *x;

	TAILQ_FOREACH (x, &conn->exchanges, link) {
		bool slow_request = !x->body_ended && (!x->status || x->over);
		bool slow_reader = evbuffer_get_length(x->reply) > 0;

		if ((slow_request || slow_reader) && now_ms >= x->deadline_ms)
			give_up(h, x, NGHTTP2_CANCEL);
	}
	run(conn);
}

/* ---- answers ---- */

/* Names in lower case, as HTTP/2 has them. */
static size_t fields_of(const struct evkeyvalq *fields, nghttp2_nv *out, size_t max)
{
	struct evkeyval *field;
	size_t n = 0;

	TAILQ_FOREACH (field, fields, next) {
		if (n == max)
			break;
		for (char *c = field->key; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		out[n++] = (nghttp2_nv){(uint8_t *)field->key, (uint8_t *)field->value,
					strlen(field->key), strlen(field->value),
					NGHTTP2_NV_FLAG_NONE};
	}
	return n;
}

static void submit_trailers(nghttp2_session *session, struct http_exchange *x)
{
	nghttp2_nv fields[REPLY_FIELDS_MAX];
	size_t n = fields_of(&x->trailers, fields, REPLY_FIELDS_MAX);

	nghttp2_submit_trailer(session, x->stream, fields, n);
}

static ssize_t read_reply(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room,
			  uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct http_exchange *x = source->ptr;
	struct http_conn *conn = arg;
	int n = evbuffer_remove(x->reply, to, room);

	(void)stream;
	if (n < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (n)
		x->deadline_ms = http_now_ms() + conn->server->limits.reply * 1000ull;
	if (evbuffer_get_length(x->reply))
		return n;
	if (x->reply_ended) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (!TAILQ_EMPTY(&x->trailers)) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			submit_trailers(session, x);
		}
		return n;
	}
	x->drained |= n > 0;
	return n ?: NGHTTP2_ERR_DEFERRED;
}

/* The first bytes leave with what follows: http_reply_flush() or the end. */
static void http2_begin(struct http_exchange *x)
{
	struct http2 *h = x->conn->state;
	nghttp2_data_provider body = {{.ptr = x}, read_reply};
	nghttp2_nv fields[REPLY_FIELDS_MAX];
	char status[4];
	size_t n;

	snprintf(status, sizeof(status), "%u", (unsigned int)x->status % 1000);
	fields[0] =
		(nghttp2_nv){(uint8_t *)":status", (uint8_t *)status, 7, 3, NGHTTP2_NV_FLAG_NONE};
	n = 1 + fields_of(&x->reply_fields, fields + 1, REPLY_FIELDS_MAX - 1);
	x->deadline_ms = http_now_ms() + x->conn->server->limits.reply * 1000ull;
	if (x->reply_ended && !evbuffer_get_length(x->reply) && TAILQ_EMPTY(&x->trailers))
		nghttp2_submit_response(h->session, x->stream, fields, n, NULL);
	else
		nghttp2_submit_response(h->session, x->stream, fields, n, &body);
}

static void http2_flush(struct http_exchange *x)
{
	struct http2 *h = x->conn->state;

	nghttp2_session_resume_data(h->session, x->stream); /* if it waits */
	run(x->conn);
}

static void http2_abort(struct http_exchange *x)
{
	struct http2 *h = x->conn->state;

	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream, NGHTTP2_INTERNAL_ERROR);
	run(x->conn);
}

static size_t http2_backlog(const struct http_exchange *x)
{
	return evbuffer_get_length(x->reply);
}

const struct http_version http_version_2 = {
	.open = http2_open,
	.close = http2_close,
	.input = http2_input,
	.output = http2_output,
	.check = http2_check,
	.begin = http2_begin,
	.flush = http2_flush,
	.end = http2_flush,
	.abort = http2_abort,
	.backlog = http2_backlog,
};
