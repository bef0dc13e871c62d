/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/connect.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>

#include "ctrl/rpc/call.h"
#include "ctrl/rpc/decode.h"
#include "ctrl/rpc/json.h"
#include "ctrl/rpc/services.h"

#define JSON_TYPE  "application/json"
#define PROTO_TYPE "application/proto"

/* The protocol's status for an error code. */
static int status_of(enum problem_code code)
{
	switch (code) {
	case PROBLEM_NONE: return 200;
	case PROBLEM_CANCELED: return 499;
	case PROBLEM_INVALID_ARGUMENT:
	case PROBLEM_FAILED_PRECONDITION:
	case PROBLEM_OUT_OF_RANGE: return 400;
	case PROBLEM_DEADLINE_EXCEEDED: return 504;
	case PROBLEM_NOT_FOUND: return 404;
	case PROBLEM_ALREADY_EXISTS:
	case PROBLEM_ABORTED: return 409;
	case PROBLEM_PERMISSION_DENIED: return 403;
	case PROBLEM_RESOURCE_EXHAUSTED: return 429;
	case PROBLEM_UNIMPLEMENTED: return 501;
	case PROBLEM_UNAVAILABLE: return 503;
	case PROBLEM_UNAUTHENTICATED: return 401;
	case PROBLEM_UNKNOWN:
	case PROBLEM_INTERNAL:
	case PROBLEM_DATA_LOSS: return 500;
	}
	return 500;
}

/* {"code":"...","message":"..."} with that HTTP status. */
static void reply_error(struct http_conn *conn, int status, enum problem_code code,
			const char *text)
{
	struct evbuffer *body = http_conn_reply(conn);

	evbuffer_drain(body, evbuffer_get_length(body));
	evbuffer_add_printf(body, "{\"code\":\"%s\",\"message\":", problem_code_name(code));
	json_encode_string(text, body);
	evbuffer_add(body, "}", 1);
	http_reply_field(conn, "Content-Type", JSON_TYPE);
	http_reply(conn, status);
}

static void reply_problem(struct http_conn *conn, enum problem_code code, const char *text)
{
	reply_error(conn, status_of(code), code, text);
}

/* A media type; of parameters only charset=utf-8, for JSON. False: not served. */
static bool format_of(const char *type, enum rpc_format *format)
{
	size_t len = type ? strcspn(type, "; \t") : 0;
	const char *rest = type ? type + len + strspn(type + len, "; \t") : "";

	if (len == strlen(PROTO_TYPE) && !strncasecmp(type, PROTO_TYPE, len)) {
		*format = RPC_FORMAT_PROTO;
		return !*rest;
	}
	if (len == strlen(JSON_TYPE) && !strncasecmp(type, JSON_TYPE, len)) {
		*format = RPC_FORMAT_JSON;
		return !*rest || !strcasecmp(rest, "charset=utf-8") ||
		       !strcasecmp(rest, "charset=\"utf-8\"");
	}
	return false;
}

/* The handler's answer, or the deadline's. */
static void on_answer(void *transport, const struct rpc_answer *answer)
{
	struct http_conn *conn = transport;
	enum rpc_format format = RPC_FORMAT_JSON;

	http_conn_set_data(conn, NULL);
	if (answer->code) {
		reply_problem(conn, answer->code, answer->text);
		return;
	}
	format_of(http_conn_field(conn, "Content-Type"), &format);
	if (rpc_encode(answer->message, format, http_conn_reply(conn))) {
		reply_problem(conn, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the response");
		return;
	}
	http_reply_field(conn, "Content-Type", format == RPC_FORMAT_JSON ? JSON_TYPE : PROTO_TYPE);
	http_reply(conn, 200);
}

/* NULL: the refusal has been sent. */
static const struct rpc_method *find_method(struct http_conn *conn)
{
	const char *target = http_conn_target(conn), *slash = strrchr(target, '/');
	const struct rpc_method *method = NULL;
	char service[96], text[256];

	if (*target == '/' && slash > target) {
		snprintf(service, sizeof(service), "%.*s", (int)(slash - target - 1), target + 1);
		method = rpc_method_find(service, slash + 1);
	}
	if (!method) {
		snprintf(text, sizeof(text), "%.160s is no method of this API", target);
		reply_error(conn, 404, PROBLEM_UNIMPLEMENTED, text);
		return NULL;
	}
	if (!http_conn_is_post(conn)) {
		http_reply_field(conn, "Allow", "POST");
		reply_error(conn, 405, PROBLEM_UNIMPLEMENTED, "methods are called by POST");
		return NULL;
	}
	return method;
}

/* False: the refusal has been sent. */
static bool check_fields(struct http_conn *conn, enum rpc_format *format)
{
	const char *version = http_conn_field(conn, "Connect-Protocol-Version");
	const char *encoding = http_conn_field(conn, "Content-Encoding");

	if (!format_of(http_conn_field(conn, "Content-Type"), format)) {
		http_reply_field(conn, "Accept-Post", PROTO_TYPE ", " JSON_TYPE);
		reply_error(conn, 415, PROBLEM_UNIMPLEMENTED,
			    "Content-Type: " PROTO_TYPE " and " JSON_TYPE " are served");
		return false;
	}
	if (version && strcmp(version, "1")) {
		reply_problem(conn, PROBLEM_INVALID_ARGUMENT,
			      "Connect-Protocol-Version: 1 is the only one");
		return false;
	}
	if (encoding && *encoding && strcasecmp(encoding, "identity")) {
		reply_problem(conn, PROBLEM_UNIMPLEMENTED,
			      "Content-Encoding: identity alone is served");
		return false;
	}
	return true;
}

/* Connect-Timeout-Ms: up to ten digits. False: the refusal has been sent. */
static bool read_timeout(struct http_conn *conn, uint32_t *ms)
{
	const char *field = http_conn_field(conn, "Connect-Timeout-Ms");
	unsigned long long value;

	*ms = RPC_TIMEOUT_MS;
	if (!field)
		return true;
	value = strtoull(field, NULL, 10);
	if (!*field || field[strspn(field, "0123456789")] || strlen(field) > 10 || value == 0) {
		reply_problem(conn, PROBLEM_INVALID_ARGUMENT,
			      "Connect-Timeout-Ms: not a positive number of up to ten digits");
		return false;
	}
	*ms = value < RPC_TIMEOUT_MAX_MS ? (uint32_t)value : RPC_TIMEOUT_MAX_MS;
	return true;
}

/* ---- decoding: of a large body on the thread ---- */

#define LARGE_BODY (64 * 1024)

/* A request from its last byte to its handler. The call and the body are the thread's meanwhile. */
struct decoding {
	LIST_ENTRY(decoding) link;
	struct background_task task;
	struct rpc_call *call;
	struct evbuffer *body;
	enum rpc_format format;
	struct decode decode;
	const ProtobufCMessage *message;
};

static struct decoding *decoding_of(struct background_task *task)
{
	return (struct decoding *)((char *)task - offsetof(struct decoding, task));
}

static void work_decode(struct background_task *task)
{
	struct decoding *d = decoding_of(task);
	const ProtobufCMessageDescriptor *type = rpc_method_types(rpc_call_method(d->call))->input;
	size_t len = evbuffer_get_length(d->body);
	const void *bytes = len ? (const void *)evbuffer_pullup(d->body, -1) : "";

	if (bytes)
		d->message = rpc_decode(&d->decode, type, d->format, bytes, len,
					rpc_call_arena(d->call));
	else
		decode_too_large(&d->decode);
	evbuffer_drain(d->body, len);
}

static void decoding_free(struct decoding *d)
{
	LIST_REMOVE(d, link);
	evbuffer_free(d->body);
	free(d);
}

/* The client may have left, or the deadline may have come. */
static void on_decoded(struct background_task *task)
{
	struct decoding *d = decoding_of(task);
	struct rpc_call *call = d->call;

	if (!rpc_call_wanted(call))
		rpc_call_free(call);
	else if (d->message)
		rpc_call_handle(call, d->message);
	else
		rpc_fail(call,
			 d->decode.too_large ? PROBLEM_RESOURCE_EXHAUSTED
					     : PROBLEM_INVALID_ARGUMENT,
			 "%s", d->decode.why);
	decoding_free(d);
}

/* The call's clock runs. */
static void decode(struct connect *connect, struct http_conn *conn, struct rpc_call *call,
		   enum rpc_format format)
{
	struct decoding *d = calloc(1, sizeof(*d));

	if (d)
		d->body = evbuffer_new();
	if (!d || !d->body || evbuffer_add_buffer(d->body, http_conn_body(conn))) {
		if (d && d->body)
			evbuffer_free(d->body);
		free(d);
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the request");
		return;
	}
	d->call = call;
	d->format = format;
	d->task.work = work_decode;
	d->task.done = on_decoded;
	LIST_INSERT_HEAD(&connect->decodings, d, link);
	if (evbuffer_get_length(d->body) >= LARGE_BODY) {
		background_run(connect->background, &d->task);
	} else {
		work_decode(&d->task);
		on_decoded(&d->task);
	}
}

void connect_end(struct connect *connect)
{
	struct decoding *d;

	while ((d = LIST_FIRST(&connect->decodings))) {
		rpc_call_free(d->call);
		decoding_free(d);
	}
}

/* ---- requests ---- */

/* Whoever can open the socket may do everything: its mode says who. */
static void caller_of(const struct http_conn *conn, struct caller *caller)
{
	struct ucred peer;

	if (!http_conn_peer(conn, &peer))
		return;
	caller->kind = CALLER_PEER;
	caller->role = CALLER_ADMIN;
	caller->uid = peer.uid;
	caller->gid = peer.gid;
	caller->pid = peer.pid;
	snprintf(caller->name, sizeof(caller->name), "uid %u", peer.uid);
	snprintf(caller->address, sizeof(caller->address), "pid %d", peer.pid);
}

/* False: the refusal has been sent. */
static bool check_role(struct http_conn *conn, const struct rpc_method *method,
		       const struct caller *caller)
{
	char text[320];

	if (caller->role >= method->role)
		return true;
	snprintf(text, sizeof(text), "%s needs the role %s; %s has the role %s", method->name,
		 caller_role_name(method->role), *caller->name ? caller->name : "who calls",
		 caller_role_name(caller->role));
	reply_problem(conn, PROBLEM_PERMISSION_DENIED, text);
	return false;
}

static void on_request(struct http_conn *conn, void *arg)
{
	struct connect *connect = arg;
	const struct rpc_method *method = find_method(conn);
	struct rpc_start start = {.answer = on_answer, .transport = conn};
	enum rpc_format format;
	struct rpc_call *call;

	if (!method || !check_fields(conn, &format) || !read_timeout(conn, &start.timeout_ms))
		return;
	caller_of(conn, &start.caller);
	if (!check_role(conn, method, &start.caller))
		return;
	call = rpc_call_new(connect->ctrl, method, connect->budget, connect->arena_limit);
	if (!call) {
		reply_problem(conn, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the call");
		return;
	}
	http_conn_set_data(conn, call);
	rpc_call_start(call, &start);
	decode(connect, conn, call, format);
}

/* What is wrong below the protocol, in its words. */
static void on_refused(struct http_conn *conn, int status, const char *why, void *arg)
{
	(void)arg;
	reply_error(conn, status, status == 501 ? PROBLEM_UNIMPLEMENTED : PROBLEM_INVALID_ARGUMENT,
		    why);
}

static void on_gone(struct http_conn *conn, void *arg)
{
	struct rpc_call *call = http_conn_data(conn);

	(void)arg;
	if (call)
		rpc_call_abandon(call);
}

struct http_handler connect_handler(struct connect *connect)
{
	return (struct http_handler){on_request, on_refused, on_gone, connect};
}
