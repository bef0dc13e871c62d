/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

#include "ctrl/apply.h"
#include "ctrl/rpc/reflect.h"
#include "ctrl/rpc/durations.h"
#include "ctrl/rpc/services.h"
#include "ctrl/store.h"

struct rpc_call {
	const struct ctrl *ctrl;
	const struct rpc_method *method;
	struct rpc_arena arena;  /* the request's */
	struct rpc_arena answer; /* what is being answered */
	const ProtobufCMessage *request;
	struct rpc_start start;   /* sink is NULL when nobody waits for the answer any more */
	struct rpc_stream stream; /* gone is NULL when it is none */
	bool sending;
	enum {
		OWNER_TRANSPORT,
		OWNER_THREAD,
		OWNER_HANDLER,
	} owner;
	struct event *deadline;
	uint64_t deadline_ms; /* CLOCK_MONOTONIC */
	uint64_t began_us;
	const char *about; /* for the audit log */
	bool recorded;     /* it has this call */
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t now_ms(void)
{
	return now_us() / 1000;
}

/* The transport hears of it once. */
static void end_once(struct rpc_call *call, enum problem_code code, const char *text)
{
	const struct rpc_sink *sink = call->start.sink;

	call->start.sink = NULL;
	if (sink)
		durations_add(call->method, code, (double)(now_us() - call->began_us) / 1e6);
	if (sink)
		sink->end(call->start.transport, code, text);
}

/*
 * Nobody waits for it any more. The handler of a stream is told and forgets it; that of another
 * method still owns it, and its answer of then goes nowhere.
 */
static void settle(struct rpc_call *call)
{
	if (call->stream.gone)
		call->stream.gone(call, call->stream.arg);
	if (call->stream.gone || call->owner == OWNER_TRANSPORT)
		rpc_call_free(call);
}

static void on_deadline(evutil_socket_t fd, short events, void *arg)
{
	struct rpc_call *call = arg;

	(void)fd;
	(void)events;
	end_once(call, PROBLEM_DEADLINE_EXCEEDED,
		 "the call took longer than its deadline; what it asked for may yet happen");
	settle(call);
}

struct rpc_call *rpc_call_new(const struct ctrl *ctrl, const struct rpc_method *method,
			      struct rpc_budget *budget, size_t arena_limit)
{
	struct rpc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->ctrl = ctrl;
	call->method = method;
	rpc_arena_init(&call->arena, budget, arena_limit);
	rpc_arena_init(&call->answer, budget, arena_limit);
	call->deadline = evtimer_new(ctrl->base, on_deadline, call);
	if (!call->deadline) {
		free(call);
		return NULL;
	}
	return call;
}

struct rpc_arena *rpc_call_arena(struct rpc_call *call)
{
	return &call->arena;
}

void rpc_call_free(struct rpc_call *call)
{
	event_free(call->deadline);
	rpc_arena_clear(&call->arena);
	rpc_arena_clear(&call->answer);
	free(call);
}

void rpc_call_start(struct rpc_call *call, const struct rpc_start *start)
{
	bool streams = call->method->shape != RPC_UNARY;
	uint32_t ms = start->timeout_ms;
	struct timeval tv;

	if (!streams)
		ms = !ms ? RPC_TIMEOUT_MS : ms < RPC_TIMEOUT_MAX_MS ? ms : RPC_TIMEOUT_MAX_MS;
	tv = (struct timeval){ms / 1000, ms % 1000 * 1000};
	call->start = *start;
	call->began_us = now_us();
	call->deadline_ms = now_ms() + ms;
	if (ms)
		event_add(call->deadline, &tv);
}

bool rpc_call_wanted(const struct rpc_call *call)
{
	return call->start.sink != NULL;
}

void rpc_call_lend(struct rpc_call *call)
{
	call->owner = OWNER_THREAD;
}

void rpc_call_handle(struct rpc_call *call, const ProtobufCMessage *request)
{
	call->request = request;
	if (call->method->shape != RPC_BIDI)
		call->owner = OWNER_HANDLER;
	call->method->handle(call);
}

void rpc_call_begun(struct rpc_call *call)
{
	event_del(call->deadline);
}

void rpc_call_drained(struct rpc_call *call)
{
	if (call->stream.ready && !call->sending)
		call->stream.ready(call, call->stream.arg);
}

void rpc_call_abandon(struct rpc_call *call)
{
	call->start.sink = NULL;
	event_del(call->deadline);
	settle(call);
}

const struct ctrl *rpc_call_ctrl(const struct rpc_call *call)
{
	return call->ctrl;
}

const struct rpc_method *rpc_call_method(const struct rpc_call *call)
{
	return call->method;
}

const struct caller *rpc_call_caller(const struct rpc_call *call)
{
	return &call->start.caller;
}

const ProtobufCMessage *rpc_call_request(const struct rpc_call *call)
{
	return call->request;
}

uint32_t rpc_call_time_left(const struct rpc_call *call)
{
	uint64_t now = now_ms();

	return now < call->deadline_ms ? (uint32_t)(call->deadline_ms - now) : 1;
}

void *rpc_alloc(struct rpc_call *call, size_t size)
{
	return rpc_arena_alloc(&call->answer, size);
}

char *rpc_format(struct rpc_call *call, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = rpc_alloc(call, (size_t)n + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

void *rpc_message(struct rpc_call *call, const ProtobufCMessageDescriptor *type)
{
	void *message = rpc_alloc(call, type->sizeof_message);

	if (message)
		protobuf_c_message_init(type, message);
	return message;
}

static void used_up(struct rpc_call *call)
{
	rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED,
		 "the response takes more memory than is set apart for requests");
}

const ProtobufCMessage *rpc_unpack(struct rpc_call *call, const ProtobufCMessageDescriptor *type,
				   const uint8_t *packed, size_t len)
{
	return protobuf_c_message_unpack(type, &call->arena.allocator, len, packed);
}

const char *rpc_call_name(struct rpc_call *call)
{
	return rpc_format(call, "%s/%s", call->method->service->short_name, call->method->name);
}

void rpc_call_about(struct rpc_call *call, const char *about)
{
	call->about = about;
}

void rpc_call_recorded(struct rpc_call *call)
{
	call->recorded = true;
}

/* Whoever may not even try it has left a trace, too. */
static void record(struct rpc_call *call, enum problem_code code, const char *text)
{
	struct timespec now;
	struct store_audit entry = {
		.caller = call->start.caller.name,
		.source = call->start.caller.address,
		.resource = call->about,
		.code = code,
		.message = text,
	};
	char method[96];

	if (call->recorded || call->method->role <= CALLER_VIEWER ||
	    (call->request && reflect_bool(call->request, "validate_only")))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	entry.time = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	snprintf(method, sizeof(method), "%s/%s", call->method->service->short_name,
		 call->method->name);
	entry.method = method;
	apply_audit(call->ctrl->apply, &entry);
}

void rpc_reply(struct rpc_call *call, const void *message)
{
	if (rpc_send(call, message))
		rpc_end(call);
}

bool rpc_send(struct rpc_call *call, const void *message)
{
	const struct rpc_sink *sink = call->start.sink;

	if (!message || call->answer.exhausted) {
		used_up(call);
		return false;
	}
	call->sending = true;
	if (sink)
		sink->message(call->start.transport, message);
	call->sending = false;
	if (call->method->shape != RPC_UNARY)
		rpc_arena_clear(&call->answer);
	return true;
}

bool rpc_send_part(struct rpc_call *call, const void *part)
{
	const struct rpc_sink *sink = call->start.sink;
	bool ok = part && !call->answer.exhausted;

	call->sending = true;
	if (ok && sink)
		ok = sink->part(call->start.transport, part);
	call->sending = false;
	rpc_arena_clear(&call->answer);
	if (!ok)
		used_up(call);
	return ok;
}

void rpc_end(struct rpc_call *call)
{
	record(call, PROBLEM_NONE, "");
	end_once(call, PROBLEM_NONE, "");
	rpc_call_free(call);
}

void rpc_fail(struct rpc_call *call, enum problem_code code, const char *format, ...)
{
	char text[sizeof(((struct problem *)0)->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	record(call, code, text);
	end_once(call, code, text);
	rpc_call_free(call);
}

void rpc_stream_start(struct rpc_call *call, const struct rpc_stream *stream)
{
	call->stream = *stream;
}

bool rpc_stream_ready(const struct rpc_call *call)
{
	const struct rpc_sink *sink = call->start.sink;

	return sink && sink->backlog(call->start.transport) < RPC_BACKLOG_MAX;
}
