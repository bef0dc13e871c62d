/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One call of one method, whatever transport it came by.
 *
 * A transport makes a call, starts its clock, decodes the request into its arena and has it
 * handled. From there on the call belongs to its handler, which ends it by exactly one
 * rpc_reply() or rpc_fail(), at once or later. The transport gets the answer once: from the
 * handler, or deadline_exceeded when that comes first; none after rpc_call_abandon() (the client
 * has left). An answer that nobody waits for any more just ends the call.
 */
#ifndef CTRL_RPC_CALL_H
#define CTRL_RPC_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "ctrl/ctrl.h"
#include "ctrl/problem.h"
#include "ctrl/rpc/arena.h"
#include "ctrl/rpc/caller.h"

struct rpc_call;
struct rpc_method;

/* code PROBLEM_NONE and the response, or an error with its sentence. Valid during the call. */
struct rpc_answer {
	enum problem_code code;
	const char *text;
	const ProtobufCMessage *message;
};

typedef void (*rpc_answer_fn)(void *transport, const struct rpc_answer *answer);

/* ---- for transports ---- */

#define RPC_TIMEOUT_MS     10000 /* when the client names none */
#define RPC_TIMEOUT_MAX_MS 60000

/* NULL: no memory. */
struct rpc_call *rpc_call_new(const struct ctrl *ctrl, const struct rpc_method *method,
			      struct rpc_budget *budget, size_t arena_limit);

/* Where to decode the request to. */
struct rpc_arena *rpc_call_arena(struct rpc_call *call);

/* A call that is not handled. */
void rpc_call_free(struct rpc_call *call);

struct rpc_start {
	uint32_t timeout_ms;
	struct caller caller;
	rpc_answer_fn answer;
	void *transport; /* answer's argument */
};

/* From here on the deadline runs, which may call `answer`. */
void rpc_call_start(struct rpc_call *call, const struct rpc_start *start);

/* Does anybody wait for an answer yet? */
bool rpc_call_wanted(const struct rpc_call *call);

/* Run the handler. `answer` may be called before this returns. */
void rpc_call_handle(struct rpc_call *call, const ProtobufCMessage *request);

/* The transport wants no answer any more. */
void rpc_call_abandon(struct rpc_call *call);

/* ---- for handlers ---- */

const struct ctrl *rpc_call_ctrl(const struct rpc_call *call);
const struct rpc_method *rpc_call_method(const struct rpc_call *call);

const struct caller *rpc_call_caller(const struct rpc_call *call);

/* Of the method's input type; lives as long as the call. */
const ProtobufCMessage *rpc_call_request(const struct rpc_call *call);

/* Milliseconds until the deadline, at least 1. */
uint32_t rpc_call_time_left(const struct rpc_call *call);

/* Zeroed memory that lives as long as the call, for building the response. NULL when used up. */
void *rpc_alloc(struct rpc_call *call, size_t size);
char *rpc_format(struct rpc_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A response of the method's output type, or another message; initialized. NULL when used up. */
void *rpc_message(struct rpc_call *call, const ProtobufCMessageDescriptor *type);

/* End the call. NULL stands for "the arena is used up": resource_exhausted. */
void rpc_reply(struct rpc_call *call, const void *message);
void rpc_fail(struct rpc_call *call, enum problem_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
