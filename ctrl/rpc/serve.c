/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/serve.h"

#include <endian.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>

#include "ctrl/rpc/call.h"
#include "ctrl/rpc/decode.h"
#include "ctrl/rpc/protocol.h"
#include "ctrl/rpc/services.h"

#define LARGE_BODY (64 * 1024) /* bytes from which on a message is decoded on the thread */

/*
 * An exchange that is a call. `x` is NULL once it has been answered or the client has left, `call`
 * once that has ended; while a message is with the thread, this outlives both.
 */
struct serving {
	LIST_ENTRY(serving) link;
	struct serve *serve;
	struct http_exchange *x;
	const struct protocol *protocol;
	enum rpc_format format;
	const struct rpc_method *method;
	struct rpc_call *call;
	bool handled;  /* the handler has it */
	bool decoding; /* on the thread */
	bool no_memory;
	struct background_task task;
	struct evbuffer *bytes; /* of the message */
	struct decode decode;
	const ProtobufCMessage *message;
};

static void serving_free(struct serving *s)
{
	LIST_REMOVE(s, link);
	if (s->bytes)
		evbuffer_free(s->bytes);
	free(s);
}

/* ---- what the call answers ---- */

static void on_message(void *transport, const ProtobufCMessage *message)
{
	struct serving *s = transport;

	if (!s->protocol->message(s->x, s->format, message))
		s->no_memory = true;
}

static void on_end(void *transport, enum problem_code code, const char *text)
{
	struct serving *s = transport;
	struct http_exchange *x = s->x;

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

static const struct rpc_sink sink = {on_message, on_end, on_backlog};

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

	while ((s = http_data(x)) && rpc_stream_ready(s->call)) {
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

static void on_body(struct serving *s)
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

/* ---- requests ---- */

/* A media type; of parameters only charset=utf-8, for JSON. */
static bool is_type(const char *type, const char *known)
{
	size_t len = strcspn(type, "; \t");
	const char *rest = type + len + strspn(type + len, "; \t");

	if (len != strlen(known) || strncasecmp(type, known, len))
		return false;
	return !*rest || (strstr(known, "json") && (!strcasecmp(rest, "charset=utf-8") ||
						    !strcasecmp(rest, "charset=\"utf-8\"")));
}

static const struct protocol *find_protocol(const struct http_exchange *x, enum rpc_format *format)
{
	static const struct protocol *const protocols[] = {
		&protocol_connect, &protocol_connect_stream, &protocol_grpc};
	const char *type = http_field(x, "Content-Type") ?: "";

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		*format =
			is_type(type, protocols[i]->json_type) ? RPC_FORMAT_JSON : RPC_FORMAT_PROTO;
		if (*format == RPC_FORMAT_JSON || is_type(type, protocols[i]->proto_type))
			return protocols[i];
	}
	*format = RPC_FORMAT_PROTO;
	return is_type(type, "application/grpc+proto") ? &protocol_grpc : NULL;
}

static const struct rpc_method *find_method(const char *target)
{
	const char *slash = strrchr(target, '/');
	char service[96];

	if (*target != '/' || slash == target)
		return NULL;
	snprintf(service, sizeof(service), "%.*s", (int)(slash - target - 1), target + 1);
	return rpc_method_find(service, slash + 1);
}

/* Does the protocol have room for what the method is? */
static bool fits(const struct protocol *protocol, const struct rpc_method *method)
{
	return protocol == &protocol_grpc ||
	       (protocol == &protocol_connect_stream) == (method->shape != RPC_UNARY);
}

/* What can be said by HTTP's status alone. False: the refusal has been sent. */
static bool check_http(struct http_exchange *x, const struct protocol *protocol,
		       const struct rpc_method *method)
{
	char text[256];

	if (!method && protocol != &protocol_grpc) {
		snprintf(text, sizeof(text), "%.160s is no method of this API", http_target(x));
		protocol_refuse(x, 404, PROBLEM_UNIMPLEMENTED, text);
	} else if (strcmp(http_verb(x), "POST")) {
		http_reply_field(x, "Allow", "POST");
		protocol_refuse(x, 405, PROBLEM_UNIMPLEMENTED, "methods are called by POST");
	} else if (!protocol || (method && !fits(protocol, method))) {
		bool streams = method->shape != RPC_UNARY;

		snprintf(text, sizeof(text), "%s, %s, application/grpc",
			 streams ? protocol_connect_stream.proto_type : protocol_connect.proto_type,
			 streams ? protocol_connect_stream.json_type : protocol_connect.json_type);
		http_reply_field(x, "Accept-Post", text);
		protocol_refuse(x, 415, PROBLEM_UNIMPLEMENTED,
				"Content-Type: not one that this method is served with");
	} else if (protocol->http2 && !http_is_http2(x)) {
		protocol_refuse(x, 505, PROBLEM_UNIMPLEMENTED, "gRPC takes HTTP/2");
	} else {
		return true;
	}
	return false;
}

/* What the protocol says itself. PROBLEM_NONE: go on. */
static enum problem_code check_call(struct http_exchange *x, const struct protocol *protocol,
				    const struct rpc_method *method, uint32_t *timeout_ms,
				    char *text, size_t size)
{
	const struct caller *caller = http_caller(x);
	const char *why = "";
	enum problem_code code;

	if (!method) {
		snprintf(text, size, "%.160s is no method of this API", http_target(x));
		return PROBLEM_UNIMPLEMENTED;
	}
	if (caller->role < method->role) {
		snprintf(text, size, "%s needs the role %s; %s has the role %s", method->name,
			 caller_role_name(method->role), *caller->name ? caller->name : "who calls",
			 caller_role_name(caller->role));
		return PROBLEM_PERMISSION_DENIED;
	}
	code = protocol->check(x, timeout_ms, &why);
	snprintf(text, size, "%s", why);
	return code;
}

static struct serving *serving_new(struct serve *serve, struct http_exchange *x,
				   const struct rpc_method *method)
{
	struct serving *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
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

static void begin(struct serve *serve, struct http_exchange *x)
{
	const struct rpc_method *method = find_method(http_target(x));
	struct rpc_start start = {.caller = *http_caller(x), .sink = &sink};
	const struct protocol *protocol;
	enum problem_code code;
	enum rpc_format format;
	struct serving *s;
	char text[384];

	protocol = find_protocol(x, &format);
	if (!check_http(x, protocol, method))
		return;
	code = check_call(x, protocol, method, &start.timeout_ms, text, sizeof(text));
	if (code) {
		protocol->end(x, format, code, text);
		return;
	}
	s = serving_new(serve, x, method);
	if (!s) {
		protocol->end(x, format, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the call");
		return;
	}
	s->protocol = protocol;
	s->format = format;
	http_set_data(x, s);
	start.transport = s;
	rpc_call_start(s->call, &start);
	on_body(s);
}

void serve_request(struct serve *serve, struct http_exchange *x)
{
	if (http_data(x))
		on_body(http_data(x));
	else
		begin(serve, x);
}

void serve_gone(struct http_exchange *x)
{
	struct serving *s = http_data(x);

	if (!s)
		return;
	s->x = NULL;
	http_set_data(x, NULL);
	rpc_call_abandon(s->call);
	if (!s->decoding)
		serving_free(s); /* else on_decoded() ends both */
}

void serve_drained(struct http_exchange *x)
{
	struct serving *s = http_data(x);

	if (s && s->method->shape == RPC_BIDI)
		take_messages(x);
	else if (s && s->handled)
		rpc_call_drained(s->call);
}

void serve_end(struct serve *serve)
{
	struct serving *s;

	while ((s = LIST_FIRST(&serve->servings))) {
		rpc_call_free(s->call);
		serving_free(s);
	}
}
