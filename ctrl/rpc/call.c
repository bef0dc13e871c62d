/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

#include "ctrl/rpc/services.h"

struct rpc_call {
	const struct ctrl *ctrl;
	const struct rpc_method *method;
	struct rpc_arena arena;
	const ProtobufCMessage *request;
	struct rpc_start start; /* answer is NULL when nobody waits for it any more */
	struct event *deadline;
	uint64_t deadline_ms; /* CLOCK_MONOTONIC */
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The transport's one answer. */
static void answer_once(struct rpc_call *call, const struct rpc_answer *answer)
{
	rpc_answer_fn fn = call->start.answer;

	call->start.answer = NULL;
	if (fn)
		fn(call->start.transport, answer);
}

/* The handler still owns the call and will end it; the answer of then goes nowhere. */
static void on_deadline(evutil_socket_t fd, short events, void *arg)
{
	struct rpc_call *call = arg;
	struct rpc_answer answer = {
		.code = PROBLEM_DEADLINE_EXCEEDED,
		.text = "the call took longer than its deadline; what it asked for may yet happen",
	};

	(void)fd;
	(void)events;
	answer_once(call, &answer);
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
	free(call);
}

void rpc_call_start(struct rpc_call *call, const struct rpc_start *start)
{
	const struct timeval tv = {start->timeout_ms / 1000, start->timeout_ms % 1000 * 1000};

	call->start = *start;
	call->deadline_ms = now_ms() + start->timeout_ms;
	event_add(call->deadline, &tv);
}

bool rpc_call_wanted(const struct rpc_call *call)
{
	return call->start.answer != NULL;
}

void rpc_call_handle(struct rpc_call *call, const ProtobufCMessage *request)
{
	call->request = request;
	call->method->handle(call);
}

void rpc_call_abandon(struct rpc_call *call)
{
	call->start.answer = NULL;
	event_del(call->deadline);
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
	return rpc_arena_alloc(&call->arena, size);
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

void rpc_reply(struct rpc_call *call, const void *message)
{
	struct rpc_answer answer = {.message = message};

	if (!message || call->arena.exhausted) {
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED,
			 "the response takes more memory than is set apart for requests");
		return;
	}
	answer_once(call, &answer);
	rpc_call_free(call);
}

void rpc_fail(struct rpc_call *call, enum problem_code code, const char *format, ...)
{
	char text[sizeof(((struct problem *)0)->text)];
	struct rpc_answer answer = {.code = code, .text = text};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	answer_once(call, &answer);
	rpc_call_free(call);
}
