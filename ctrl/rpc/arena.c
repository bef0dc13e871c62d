/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define CHUNK_MIN 4096
#define CHUNK_MAX (1024 * 1024)

struct rpc_arena_chunk {
	struct rpc_arena_chunk *next;
	size_t size; /* of data[] */
	size_t used;
	alignas(max_align_t) char data[];
};

static void *allocator_alloc(void *arena, size_t size)
{
	return rpc_arena_alloc(arena, size);
}

static void allocator_free(void *arena, void *pointer)
{
	(void)arena;
	(void)pointer;
}

bool rpc_budget_take(struct rpc_budget *budget, size_t bytes)
{
	size_t left = __atomic_load_n(&budget->left, __ATOMIC_RELAXED);

	do
		if (bytes > left)
			return false;
	while (!__atomic_compare_exchange_n(&budget->left, &left, left - bytes, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

size_t rpc_budget_take_rest(struct rpc_budget *budget)
{
	return __atomic_exchange_n(&budget->left, 0, __ATOMIC_RELAXED);
}

void rpc_budget_give(struct rpc_budget *budget, size_t bytes)
{
	__atomic_add_fetch(&budget->left, bytes, __ATOMIC_RELAXED);
}

void rpc_arena_init(struct rpc_arena *arena, struct rpc_budget *budget, size_t limit)
{
	*arena = (struct rpc_arena){
		.allocator = {allocator_alloc, allocator_free, arena},
		.budget = budget,
		.left = limit,
	};
}

/* Chunks double with the arena, so that a small request stays small and a large one is quick. */
static size_t chunk_size(const struct rpc_arena *arena, size_t need)
{
	size_t size = arena->chunks ? 2 * arena->chunks->size : CHUNK_MIN;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	return need > size ? need : size;
}

static struct rpc_arena_chunk *chunk_add(struct rpc_arena *arena, size_t need)
{
	size_t size = chunk_size(arena, need);
	struct rpc_arena_chunk *chunk;

	if (size > arena->left || !rpc_budget_take(arena->budget, size)) {
		size = need;
		if (size > arena->left || !rpc_budget_take(arena->budget, size))
			return NULL;
	}
	chunk = calloc(1, sizeof(*chunk) + size);
	if (!chunk) {
		rpc_budget_give(arena->budget, size);
		return NULL;
	}
	chunk->size = size;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->left -= size;
	return chunk;
}

void *rpc_arena_alloc(struct rpc_arena *arena, size_t size)
{
	struct rpc_arena_chunk *chunk = arena->chunks;
	size_t align = alignof(max_align_t);
	void *memory;

	if (size > arena->left + CHUNK_MAX) /* also keeps the rounding from wrapping */
		goto exhausted;
	size = size ? (size + align - 1) / align * align : align;
	if (!chunk || chunk->size - chunk->used < size)
		chunk = chunk_add(arena, size);
	if (!chunk)
		goto exhausted;
	memory = chunk->data + chunk->used;
	chunk->used += size;
	return memory;

exhausted:
	arena->exhausted = true;
	return NULL;
}

void rpc_arena_clear(struct rpc_arena *arena)
{
	while (arena->chunks) {
		struct rpc_arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		arena->left += chunk->size;
		rpc_budget_give(arena->budget, chunk->size);
		free(chunk);
	}
	arena->exhausted = false;
}
