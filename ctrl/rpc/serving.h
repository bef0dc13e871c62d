/* SPDX-License-Identifier: BSD-3-Clause */
/* A call of serve.h's under way: messages of the request in, of the answer out. */
#ifndef CTRL_RPC_SERVING_H
#define CTRL_RPC_SERVING_H

#include <stddef.h>

#include "ctrl/rpc/call.h"
#include "ctrl/rpc/decode.h"
#include "ctrl/rpc/exchange.h"
#include "ctrl/rpc/protocol.h"
#include "ctrl/rpc/serve.h"
#include "ctrl/rpc/services.h"

/*
 * An exchange that is a call. `x` is NULL once it has been answered or the client has left, `call`
 * once that has ended; while a message is with the thread, this outlives both.
 */
struct serving {
	struct exchange exchange;
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
	bool in_parts; /* the answer */
	struct background_task task;
	struct evbuffer *bytes; /* of the message; then of an answer in parts, what can't leave */
	struct encode_parts parts;
	size_t charged; /* for those */
	struct decode decode;
	const ProtobufCMessage *message;
};

/* NULL: no memory. The caller sets protocol and format, and starts the call with serving_sink. */
struct serving *serving_new(struct serve *serve, struct http_exchange *x,
			    const struct rpc_method *method);
extern const struct rpc_sink serving_sink;

/* The call that an exchange is; NULL: it is over. */
struct serving *serving_at(const struct http_exchange *x);

/* Look at what has come of the request's body. It may be over with this. */
void serving_take(struct serving *s);

#endif
