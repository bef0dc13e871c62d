/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffer pools with one owner, as mempool ops of our own (name "sl_owner").
 * Implemented in secondary/pool.c, since a worker owns its pool.
 *
 * Each worker has a pool. Its free list is a stack that only the owner touches,
 * so no atomic is needed and a dead owner's stack is whole: `count` is the
 * commit point (get: copy out, then count -= n; put: store, then count += n).
 * A worker that frees another's buffer (after a redirect) puts it into a
 * single-producer ring back to the owner; the owner collects (sl_pool_collect).
 * A return ring holds a whole pool, so it can't overflow.
 *
 * Only the owner allocates. The primary acts for all owners while it sets up the
 * ports, before any worker runs (sl_pool_act_as_all). Anyone else's get fails.
 */
#ifndef SL_POOL_H
#define SL_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/limits.h>

struct rte_mempool;
struct rte_ring;

#define SL_POOL_OPS "sl_owner"

struct sl_pool {
	uint32_t owner;                        /* worker id; primary, at creation */
	uint32_t capacity;                     /* buffers; primary, at creation */
	struct rte_ring *back[SL_MAX_WORKERS]; /* producer: worker [i]; consumer: the owner */
	uint32_t count;                        /* on the stack; owner */
	void *stack[];                         /* owner */
};

/* Bytes that a struct sl_pool for `capacity` buffers takes. */
size_t sl_pool_size(uint32_t capacity);

/*
 * Make the mempool of `pool` (owner, capacity and back filled in): `capacity`
 * packet buffers with `data_room` bytes each. Primary only. NULL with rte_errno.
 */
struct rte_mempool *sl_pool_create(const char *name, struct sl_pool *pool, uint16_t data_room,
				   int socket);

/* From now on this process acts as worker `id` (an owner of its pool, a guest at the others). */
void sl_pool_act_as(unsigned int id);

/* As the owner of every pool: the primary while no worker runs, when ports start and stop. */
void sl_pool_act_as_all(void);

/* Take back own buffers that others freed. Returns how many. */
unsigned int sl_pool_collect(struct sl_pool *pool);

/*
 * After the former owner's death, before first use: return rings of which this worker is the
 * consumer are usable as they are (nothing is used before the tail is published);
 * those of which it is the producer get head = tail. `pools` are all workers'.
 */
void sl_pool_repair(struct sl_pool *const *pools, unsigned int n_pools, unsigned int id);

#endif
