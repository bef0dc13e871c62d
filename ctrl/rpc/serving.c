/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/serving.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#define LARGE_BODY (64 * 1024) /* bytes from which on a message is decoded on the thread */

static void serving_free(struct serving *s)
{
	LIST_REMOVE(s, link);
	rpc_budget_give(s->serve->budget, s->charged);
	if (s->bytes)
		evbuffer_free(s->bytes);
	free(s);
}

static struct serving *serving_of_exchange(struct exchange *exchange)
{
	return (struct serving *)((char *)exchange - offsetof(struct serving, exchange));
}

struct serving *serving_at(const struct http_exchange *x)
{
	struct exchange *exchange = http_data(x);

	return exchange ? serving_of_exchange(exchange) : NULL;
}

/* ---- what the call answers ---- */

static void on_message(void *transport, const ProtobufCMessage *message)
{
	struct serving *s = transport;

	if (!s->protocol->message(s->x, s->format, message))
		s->no_memory = true;
}

/* Bytes that wait for the last part are within what requests may hold. */
static bool charge(struct serving *s)
{
	size_t held = evbuffer_get_length(s->bytes);

	if (held > s->charged && !rpc_budget_take(s->serve->budget, held - s->charged))
		return false;
	if (held < s->charged)
		rpc_budget_give(s->serve->budget, s->charged - held);
	s->charged = held;
	return true;
}

static bool on_part(void *transport, const ProtobufCMessage *part)
{
	struct serving *s = transport;

	s->in_parts = true;
	s->parts.format = s->format;
	if (rpc_encode_part(&s->parts, part, s->bytes) ||
	    !s->protocol->part(s->x, s->format, s->bytes, false) || !charge(s))
		return false;
	if (http_reply_begun(s->x))
		rpc_call_begun(s->call);
	return true;
}

static bool end_parts(struct serving *s)
{
	return !rpc_encode_parts_end(&s->parts, s->bytes) &&
	       s->protocol->part(s->x, s->format, s->bytes, true);
}

static void on_end(void *transport, enum problem_code code, const char *text)
{
	struct serving *s = transport;
	struct http_exchange *x = s->x;

	if (s->in_parts && !code && !end_parts(s))
		s->no_memory = true;
	s->x = NULL;
	http_set_data(x, NULL);
	if (s->no_memory)
		s->protocol->end(x, s->format, PROBLEM_RESOURCE_EXHAUSTED,
				 "no memory for the response");
	else
		s->protocol->end(x, s->format, code, text);
	if (!s->decoding)
		serving_free(s);
}

static size_t on_backlog(void *transport)
{
	struct serving *s = transport;

	return http_reply_backlog(s->x);
}

const struct rpc_sink serving_sink = {on_message, on_part, on_end, on_backlog};

/* ---- messages of the request ---- */

static void decode(struct serving *s)
{
	const ProtobufCMessageDescriptor *type = rpc_method_types(s->method)->input;
	size_t len = evbuffer_get_length(s->bytes);
	const void *bytes = len ? (const void *)evbuffer_pullup(s->bytes, -1) : "";

	if (bytes)
		s->message = rpc_decode(&s->decode, type, s->format, bytes, len,
					rpc_call_arena(s->call));
	else
		decode_too_large(&s->decode);
	evbuffer_drain(s->bytes, len);
}

/* The call may end with this, and the serving with it. */
static void handle(struct serving *s)
{
	s->handled = true;
	if (s->message)
		rpc_call_handle(s->call, s->message);
	else
		rpc_fail(s->call,
			 s->decode.too_large ? PROBLEM_RESOURCE_EXHAUSTED
					     : PROBLEM_INVALID_ARGUMENT,
			 "%s", s->decode.why);
}

static struct serving *serving_of(struct background_task *task)
{
	return (struct serving *)((char *)task - offsetof(struct serving, task));
}

static void work_decode(struct background_task *task)
{
	decode(serving_of(task));
}

/* The client may have left, or the deadline may have come. */
static void on_decoded(struct background_task *task)
{
	struct serving *s = serving_of(task);

	s->decoding = false;
	if (s->x) {
		handle(s);
	} else {
		rpc_call_free(s->call);
		serving_free(s);
	}
}

static void decode_and_handle(struct serving *s)
{
	if (evbuffer_get_length(s->bytes) >= LARGE_BODY && s->method->shape != RPC_BIDI) {
		s->task.large = true;
		s->task.work = work_decode;
		s->task.done = on_decoded;
		s->decoding = true;
		rpc_call_lend(s->call);
		background_run(s->serve->background, &s->task);
	} else {
		decode(s);
		handle(s);
	}
}

/* What is wrong with the request's bytes, if the handler has not been asked yet. */
static void fail(struct serving *s, enum problem_code code, const char *text)
{
	s->handled = true;
	rpc_fail(s->call, code, "%s", text);
}

#define TOO_LARGE "a message is larger than 16 MiB"

static void take_body(struct serving *s)
{
	struct evbuffer *body = http_body(s->x);

	if (evbuffer_get_length(body) > SERVE_MESSAGE_MAX)
		fail(s, PROBLEM_RESOURCE_EXHAUSTED, TOO_LARGE);
	else if (!http_body_ended(s->x))
		return;
	else if (evbuffer_add_buffer(s->bytes, body))
		fail(s, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the request");
	else
		decode_and_handle(s);
}

/* A whole enveloped message at the front of the body, without its envelope, to s->bytes. */
enum taken { TAKEN, NOT_YET, WRONG };

static enum taken take_envelope(struct serving *s, struct evbuffer *body)
{
	uint8_t head[ENVELOPE_SIZE];
	uint32_t length;

	if (evbuffer_copyout(body, head, sizeof(head)) < (ev_ssize_t)sizeof(head))
		return NOT_YET;
	memcpy(&length, head + 1, sizeof(length));
	length = be32toh(length);
	if (head[0] & ENVELOPE_COMPRESSED)
		fail(s, PROBLEM_INTERNAL, "a message is compressed, but no encoding was named");
	else if (head[0])
		fail(s, PROBLEM_INVALID_ARGUMENT, "a message has flags that are not known");
	else if (length > SERVE_MESSAGE_MAX)
		fail(s, PROBLEM_RESOURCE_EXHAUSTED, TOO_LARGE);
	else if (evbuffer_get_length(body) < sizeof(head) + length)
		return NOT_YET;
	else if (evbuffer_drain(body, sizeof(head)) ||
		 evbuffer_remove_buffer(body, s->bytes, length) != (int)length)
		fail(s, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the request");
	else
		return TAKEN;
	return WRONG;
}

/* One message, and the end. */
static void take_only_message(struct serving *s)
{
	struct evbuffer *body = http_body(s->x);
	enum taken taken = http_body_ended(s->x) ? take_envelope(s, body) : NOT_YET;

	if (taken == TAKEN && evbuffer_get_length(body))
		fail(s, PROBLEM_INVALID_ARGUMENT, "the method takes one message; there are more");
	else if (taken == TAKEN)
		decode_and_handle(s);
	else if (taken == NOT_YET && http_body_ended(s->x))
		fail(s, PROBLEM_INVALID_ARGUMENT, "the request ends before its message does");
}

/* Is the length in front of the first message over the limit? Said before all of it is here. */
static bool is_too_large(struct http_exchange *x)
{
	uint8_t head[ENVELOPE_SIZE];
	uint32_t length;

	if (evbuffer_copyout(http_body(x), head, sizeof(head)) < (ev_ssize_t)sizeof(head))
		return false;
	memcpy(&length, head + 1, sizeof(length));
	return be32toh(length) > SERVE_MESSAGE_MAX;
}

/* Messages as they come, as long as the client takes the answers. */
static void take_messages(struct http_exchange *x)
{
	struct serving *s;

	while ((s = serving_at(x)) && rpc_stream_ready(s->call)) {
		enum taken taken = take_envelope(s, http_body(x));

		if (taken == TAKEN) {
			rpc_arena_clear(rpc_call_arena(s->call));
			decode_and_handle(s);
			http_body_release(x);
			continue;
		}
		if (taken == NOT_YET && http_body_ended(x)) {
			if (evbuffer_get_length(http_body(x)))
				fail(s, PROBLEM_INVALID_ARGUMENT,
				     "the request ends before its message does");
			else
				rpc_end(s->call);
		}
		break;
	}
}

void serving_take(struct serving *s)
{
	if (s->method->shape == RPC_BIDI)
		take_messages(s->x);
	else if (s->handled || s->decoding)
		return;
	else if (!s->protocol->enveloped)
		take_body(s);
	else if (is_too_large(s->x))
		fail(s, PROBLEM_RESOURCE_EXHAUSTED, TOO_LARGE);
	else
		take_only_message(s);
}

/* ---- what the client does ---- */

static void on_gone(struct exchange *exchange)
{
	struct serving *s = serving_of_exchange(exchange);

	http_set_data(s->x, NULL);
	s->x = NULL;
	rpc_call_abandon(s->call);
	if (!s->decoding)
		serving_free(s); /* else on_decoded() ends both */
}

static void on_drained(struct exchange *exchange)
{
	struct serving *s = serving_of_exchange(exchange);

	if (s->method->shape == RPC_BIDI)
		take_messages(s->x);
	else if (s->handled)
		rpc_call_drained(s->call);
}

/* ---- life ---- */

struct serving *serving_new(struct serve *serve, struct http_exchange *x,
			    const struct rpc_method *method)
{
	struct serving *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->exchange = (struct exchange){.gone = on_gone, .drained = on_drained};
	s->serve = serve;
	s->x = x;
	s->method = method;
	LIST_INSERT_HEAD(&serve->servings, s, link);
	s->bytes = evbuffer_new();
	s->call = rpc_call_new(serve->ctrl, method, serve->budget, serve->arena_limit);
	if (s->bytes && s->call)
		return s;
	if (s->call)
		rpc_call_free(s->call);
	serving_free(s);
	return NULL;
}

void serve_end(struct serve *serve)
{
	struct serving *s;

	while ((s = LIST_FIRST(&serve->servings))) {
		rpc_call_free(s->call);
		serving_free(s);
	}
}
