/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One call of one method, whatever transport it came by.
 *
 * A transport makes a call, starts its clock, decodes the request into its arena and has it
 * handled. From there on the call belongs to its handler, which ends it by exactly one
 * rpc_reply(), rpc_end() or rpc_fail(), at once or later. The transport gets the end once: from the
 * handler, or deadline_exceeded when that comes first; none after rpc_call_abandon() (the client
 * has left). What nobody waits for any more goes nowhere.
 *
 * A method whose answer is a stream sends messages before its end. Each leaves the call's memory as
 * soon as it is sent. Its handler is told when the client has taken them, which is
 * when it should send more, and when nobody listens any more.
 *
 * A method whose one answer is large makes it in parts, like a stream: messages of the output's
 * type that make one when their fields are put together, those that are repeated one list after the
 * other. On the way some have left already when the next is made.
 *
 * A method whose request is a stream, too, has its handler called for each message of it; it
 * answers with rpc_send() or rpc_fail() and the transport ends the call, when the client does.
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

/* What a transport takes. Texts and messages are valid during the call of the function. */
struct rpc_sink {
	void (*message)(void *transport, const ProtobufCMessage *message);
	/* Of an answer in parts. False: no memory. */
	bool (*part)(void *transport, const ProtobufCMessage *part);
	/* PROBLEM_NONE or an error with its sentence; the last that the transport hears. */
	void (*end)(void *transport, enum problem_code code, const char *text);
	/* Bytes sent that the client has not taken. */
	size_t (*backlog)(void *transport);
};

/* ---- for transports ---- */

#define RPC_TIMEOUT_MS     10000 /* when the client names none; a stream has none then */
#define RPC_TIMEOUT_MAX_MS 60000 /* of a call that is no stream */

/* NULL: no memory. */
struct rpc_call *rpc_call_new(const struct ctrl *ctrl, const struct rpc_method *method,
			      struct rpc_budget *budget, size_t arena_limit);

/* Where to decode the request to. */
struct rpc_arena *rpc_call_arena(struct rpc_call *call);

/* A call that is not handled. */
void rpc_call_free(struct rpc_call *call);

struct rpc_start {
	uint32_t timeout_ms; /* 0: none was named */
	struct caller caller;
	const struct rpc_sink *sink;
	void *transport; /* its argument */
};

/* From here on the deadline runs, which may call the sink and end the call unless it is lent. */
void rpc_call_start(struct rpc_call *call, const struct rpc_start *start);

/* Does anybody wait for an answer yet? */
bool rpc_call_wanted(const struct rpc_call *call);

/* The request is being decoded on a thread: the call is not to end meanwhile. */
void rpc_call_lend(struct rpc_call *call);

/* Run the handler. The sink may be called before this returns. */
void rpc_call_handle(struct rpc_call *call, const ProtobufCMessage *request);

/* The answer is on its way: how long it takes is up to the client and the transport. */
void rpc_call_begun(struct rpc_call *call);

/* The client has taken all that was sent. */
void rpc_call_drained(struct rpc_call *call);

/* The transport wants no answer any more, and has no call any more unless it is lent. */
void rpc_call_abandon(struct rpc_call *call);

/* ---- for handlers ---- */

const struct ctrl *rpc_call_ctrl(const struct rpc_call *call);
const struct rpc_method *rpc_call_method(const struct rpc_call *call);

const struct caller *rpc_call_caller(const struct rpc_call *call);

/* "ConfigService/ApplyConfig"; NULL when memory is used up. */
const char *rpc_call_name(struct rpc_call *call);

/*
 * What a call is about, for the audit log: text that lives as long as the call. An entry is written
 * when the call ends, of every method that more than a viewer's role takes and that is no dry run,
 * unless it is already there (with a revision: ctrl/store.h).
 */
void rpc_call_about(struct rpc_call *call, const char *about);
void rpc_call_recorded(struct rpc_call *call);

/* Of the method's input type; lives as long as the call. */
const ProtobufCMessage *rpc_call_request(const struct rpc_call *call);

/* Milliseconds until the deadline, at least 1. */
uint32_t rpc_call_time_left(const struct rpc_call *call);

/*
 * Zeroed memory for building a response, that lives as long as the call; in one that sends
 * several, until the next is sent. NULL when used up.
 */
void *rpc_alloc(struct rpc_call *call, size_t size);
char *rpc_format(struct rpc_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A response of the method's output type, or another message; initialized. NULL when used up. */
void *rpc_message(struct rpc_call *call, const ProtobufCMessageDescriptor *type);

/* A message from bytes of our own. NULL when used up. */
const ProtobufCMessage *rpc_unpack(struct rpc_call *call, const ProtobufCMessageDescriptor *type,
				   const uint8_t *packed, size_t len);

/* End the call. NULL stands for "the arena is used up": resource_exhausted. */
void rpc_reply(struct rpc_call *call, const void *message);
void rpc_fail(struct rpc_call *call, enum problem_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- for handlers of streams, and of answers in parts ---- */

#define RPC_BACKLOG_MAX (256 * 1024) /* bytes that wait for a client before no more is sent */

/*
 * `ready`: all that was sent has been taken. `gone`: nobody listens any more; the handler forgets
 * the call and whatever it made for it, which ends with it.
 */
struct rpc_stream {
	void (*ready)(struct rpc_call *call, void *arg);
	void (*gone)(struct rpc_call *call, void *arg);
	void *arg;
};
void rpc_stream_start(struct rpc_call *call, const struct rpc_stream *stream);

/* Is there room for another message, for now? */
bool rpc_stream_ready(const struct rpc_call *call);

/* False: the arena was used up (message NULL, too) and the call has been failed. */
bool rpc_send(struct rpc_call *call, const void *message);

/*
 * A part of the only answer, which rpc_end() ends. A repeated field may go on in the next part; one
 * that another field came after may not. False: as rpc_send().
 */
bool rpc_send_part(struct rpc_call *call, const void *part);

/* End the stream, or the answer in parts, well. */
void rpc_end(struct rpc_call *call);

#endif
