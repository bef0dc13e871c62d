/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a call to a request of ctrl/apply.h and back: who asks, the request id, what is answered
 * to a call that was sent before.
 */
#ifndef CTRL_RPC_SUBMIT_H
#define CTRL_RPC_SUBMIT_H

#include "ctrl/apply.h"
#include "ctrl/rpc/call.h"

/* The method's response to what was done. NULL: the call's memory is used up. */
typedef ProtobufCMessage *(*submit_response_fn)(struct rpc_call *call,
						const struct apply_result *result);

/*
 * Queue the request and end the call when it is done. All of the request that is said about the
 * caller and the call itself is filled in here; `about` goes to the audit log.
 */
void rpc_submit(struct rpc_call *call, struct apply_request *request, const char *about,
		submit_response_fn response);

#endif
