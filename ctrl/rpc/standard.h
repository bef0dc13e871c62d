/* SPDX-License-Identifier: BSD-3-Clause */
/* Resources as the API shows them: what is stored, with what only the running system knows. */
#ifndef CTRL_RPC_STANDARD_H
#define CTRL_RPC_STANDARD_H

#include "ctrl/model.h"
#include "ctrl/rpc/call.h"

/*
 * The message to answer for a resource. Parts are shared with the model, so it is to be
 * encoded before the model changes. NULL when the call's memory is used up.
 */
const ProtobufCMessage *resource_view(struct rpc_call *call, const struct resource *resource);

/* Of these kinds: a pool with its backends and etag; an interface with its port's state. */
const ProtobufCMessage *backend_pool_view(struct rpc_call *call, const struct resource *pool);
const ProtobufCMessage *interface_view(struct rpc_call *call, const struct resource *interface);

#endif
