/* SPDX-License-Identifier: BSD-3-Clause */
/* The stored pool holds no backends (see ctrl/resource.h); the one answered does. */
#include "ctrl/rpc/standard.h"

#include "sluice/v1/backend_pool.pb-c.h"

/* All of a pool's backends; their number in *n. */
static Sluice__V1__Backend **backends_of(struct rpc_call *call, const char *pool, size_t *n)
{
	const struct model *model = rpc_call_ctrl(call)->model;
	Sluice__V1__Backend **backends;
	size_t count = 0;

	for (const struct resource *b = model_backends(model, pool); b; b = model_next_backend(b))
		count++;
	*n = 0;
	backends = rpc_alloc(call, count * sizeof(*backends));
	if (!backends)
		return NULL;
	for (const struct resource *b = model_backends(model, pool); b; b = model_next_backend(b))
		backends[(*n)++] = (Sluice__V1__Backend *)b->message;
	return backends;
}

const ProtobufCMessage *backend_pool_view(struct rpc_call *call, const struct resource *pool)
{
	Sluice__V1__BackendPool *view = rpc_message(call, &sluice__v1__backend_pool__descriptor);
	char etag[RESOURCE_ETAG_SIZE];

	if (!view)
		return NULL;
	view->name = pool->name;
	view->forwarding_mode = ((const Sluice__V1__BackendPool *)pool->message)->forwarding_mode;
	view->backends = backends_of(call, pool->name, &view->n_backends);
	view->etag =
		rpc_format(call, "%s", model_pool_etag(rpc_call_ctrl(call)->model, pool, etag));
	return view->etag ? &view->base : NULL;
}
