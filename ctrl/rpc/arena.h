/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of one request's message: taken in chunks, given back all at once,
 * bounded twice: by the request's own limit and by a budget that all requests share.
 * A decoder can turn one byte of input into tens of bytes of heap; here that ends in a
 * NULL and an answer to the client, not in a swapping appliance.
 */
#ifndef CTRL_RPC_ARENA_H
#define CTRL_RPC_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct rpc_budget {
	size_t left; /* bytes; taken and given back by several threads */
};

/* False: there is not so much left. */
bool rpc_budget_take(struct rpc_budget *budget, size_t bytes);
/* Whatever there is. */
size_t rpc_budget_take_rest(struct rpc_budget *budget);
void rpc_budget_give(struct rpc_budget *budget, size_t bytes);

struct rpc_arena {
	ProtobufCAllocator allocator; /* the arena as protobuf-c wants it; frees nothing */
	struct rpc_arena_chunk *chunks;
	struct rpc_budget *budget;
	size_t left;    /* bytes of this arena's own limit */
	bool exhausted; /* an allocation has failed */
};

/* Not to be copied or moved afterwards: the allocator points to it. */
void rpc_arena_init(struct rpc_arena *arena, struct rpc_budget *budget, size_t limit);

/* Zeroed memory, or NULL. */
void *rpc_arena_alloc(struct rpc_arena *arena, size_t size);

/* Free all; the arena is empty and usable again, with the limit it had. */
void rpc_arena_clear(struct rpc_arena *arena);

#endif
