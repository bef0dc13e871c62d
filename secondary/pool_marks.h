/* SPDX-License-Identifier: BSD-3-Clause */
/* Between pool.c and pool_repair.c: where a buffer's mark is, and what it may say. */
#ifndef POOL_MARKS_H
#define POOL_MARKS_H

#include <assert.h>

#include <sluice/pool.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

/* See <sluice/pool.h>; the worker is in the low bits. */
enum mark {
	MARK_MINE = 0x00,
	MARK_LENT = 0x20,
	MARK_HELD = 0x40,
	MARK_BACK = 0x60,
	MARK_QUARANTINED_FOREIGN = 0x80,
	MARK_QUARANTINED = 0xa0,
};
static_assert(SL_MAX_WORKERS <= 0x20, "a worker fits the low bits of a mark");

static inline uint8_t *mark_of(const struct sl_pool *p, void *m)
{
	return (uint8_t *)m + p->mark_offset;
}

static inline void **place(struct rte_ring *r, uint32_t at)
{
	return &((void **)&r[1])[at & r->mask];
}

/* Every buffer of the pool; behind the stack. */
static inline struct rte_mbuf **all_of(struct sl_pool *p)
{
	return (struct rte_mbuf **)&p->stack[p->capacity];
}

/* Free buffers: the owner's to its stack, a guest's to the ring back. */
int pool_put(struct sl_pool *p, void *const *objs, unsigned int n);

#endif
