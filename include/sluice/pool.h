/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffer pools with one owner, as mempool ops of our own (name "sl_owner").
 * Implemented in secondary/pool.c and pool_repair.c, since a worker owns its pool.
 *
 * Each worker has a pool. Its free list is a stack that only the owner touches,
 * so no atomic is needed and a dead owner's stack is whole: `count` is the
 * commit point (get: copy out, then count -= n; put: store, then count += n).
 * Only the owner allocates. The primary acts for all owners while it sets up the
 * ports, before any worker runs (sl_pool_act_as_all). Anyone else's get fails.
 *
 * Crossing to another worker and back. An owner lends buffers through a redirect ring
 * (sl_pool_lend); whoever frees another's buffer puts it into a ring back to its owner, who
 * collects it (sl_pool_collect). Both rings have one producer and one consumer, and a ring
 * back holds a whole pool, so it can't overflow. Each buffer carries a mark that says where it
 * is, written only when it crosses:
 *
 *   MINE          on the stack, in the owner's hands or in its devices' queues
 *   LENT(f)       in the redirect ring to worker f
 *   HELD(f)       in the hands of worker f
 *   BACK(f)       in the ring back, put there by f
 *   QUARANTINED      was in the owner's hands when it died, or in one of its devices' queues
 *   QUARANTINED(f)   likewise in the hands of worker f
 *
 * One process makes each transition. Producing: places, head, marks, tail; consuming: read,
 * marks, tail, and only then use. So after a death the replacement knows, from the
 * marks and from what lies between tail and head of its ends, where each buffer is.
 *
 * What was in the dead one's hands is lost, but a device may still have some of it in its queues,
 * which outlive a process. So it is quarantined until every port has received and sent as
 * many packets as its queues hold; what did not show up by then is free again (sl_pool_settle).
 */
#ifndef SL_POOL_H
#define SL_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/limits.h>

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

#define SL_POOL_OPS "sl_owner"

struct sl_pool {
	uint32_t owner;                        /* worker id; primary, at creation */
	uint32_t capacity;                     /* buffers; primary, at creation */
	struct rte_ring *back[SL_MAX_WORKERS]; /* producer: worker [i]; consumer: the owner */
	int32_t mark_offset;                   /* of the mark in a buffer; primary, at creation */
	int32_t flow_offset;                   /* of a fragment's flow in a buffer; as above */
	uint64_t flow_flag;                    /* in ol_flags: it is there; as above */
	uint32_t place_shift;         /* log2 of bytes that hold one buffer at most; as above */
	uint32_t places;              /* such, from the first buffer to the last; as above */
	uintptr_t first;              /* the lowest buffer; as above */
	uint32_t count;               /* on the stack; owner */
	uint32_t quarantined;         /* own buffers that are; owner */
	uint32_t quarantined_foreign; /* others' in the former owner's hands; owner */
	void *stack[];                /* owner; then all buffers, see sl_pool_all */
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

/* Pass own buffers to worker `to` by its redirect ring. Returns how many, the first ones. */
unsigned int sl_pool_lend(struct sl_pool *own, struct rte_ring *ring, unsigned int to,
			  struct rte_mbuf **m, unsigned int n);

/* Take what another worker lent: its buffers from a ring of ours. Returns how many, at most n. */
unsigned int sl_pool_borrow(const struct sl_pool *own, struct rte_ring *ring, struct rte_mbuf **m,
			    unsigned int n);

/* A device delivered these own buffers: they are not quarantined. Only while some are. */
void sl_pool_delivered(struct sl_pool *own, struct rte_mbuf **m, unsigned int n);

/* Memory of the process's own for the two below, which can't fail then. 0 or -ENOMEM. */
int sl_pool_prepare(struct sl_pool *const *pools, unsigned int n_pools);

/*
 * After the former owner's death, before first use. `pools` are all workers', redirect_in[i]
 * the ring from worker i, redirect_out[i] the one to it.
 */
void sl_pool_repair(struct sl_pool *const *pools, unsigned int n_pools, unsigned int id,
		    struct rte_ring *const *redirect_in, struct rte_ring *const *redirect_out);

/* No device can have the quarantined buffers any more: they go home. Returns how many own ones. */
unsigned int sl_pool_settle(struct sl_pool *const *pools, unsigned int n_pools, unsigned int id);

#endif
