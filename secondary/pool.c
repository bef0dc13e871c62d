/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The single-owner buffer pool: mempool ops over struct sl_pool. The story is in
 * <sluice/pool.h>.
 *
 * Order of stores. The count is written after the objects it covers have been
 * copied out (get) or stored (put), with a compiler barrier between: x86 keeps
 * stores in order, and a death is seen by the replacement only through the kernel.
 * A put of the dead owner that had not reached its count loses those
 * buffers; no order ever hands one out twice.
 */
#include <sluice/pool.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <rte_atomic.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#define NOBODY   UINT_MAX
#define EVERYONE (UINT_MAX - 1)

static unsigned int self = NOBODY;

void sl_pool_act_as(unsigned int id)
{
	self = id;
}

/* Drivers differ in when they fill a queue, some fill all of them in the port's start. */
void sl_pool_act_as_all(void)
{
	self = EVERYONE;
}

static bool owns(const struct sl_pool *p)
{
	return self == p->owner || self == EVERYONE;
}

size_t sl_pool_size(uint32_t capacity)
{
	return sizeof(struct sl_pool) + (size_t)capacity * sizeof(void *);
}

static void stack_push(struct sl_pool *p, void *const *objs, unsigned int n)
{
	uint32_t count = p->count;

	RTE_ASSERT(count + n <= p->capacity);
	memcpy(&p->stack[count], objs, n * sizeof(*objs));
	rte_compiler_barrier();
	p->count = count + n;
}

static int pool_alloc(struct rte_mempool *mp)
{
	struct sl_pool *p = mp->pool_config;

	p->count = 0;
	mp->pool_data = p;
	return 0;
}

static void pool_free(struct rte_mempool *mp)
{
	(void)mp; /* the memory is the slot's */
}

/* Put: the owner's go to its stack, a guest's to the ring back. */
static int pool_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct sl_pool *p = mp->pool_data;

	if (owns(p)) {
		stack_push(p, objs, n);
		return 0;
	}
	if (self >= SL_MAX_WORKERS)
		return -EPERM;
	return rte_ring_sp_enqueue_bulk(p->back[self], objs, n, NULL) ? 0 : -ENOBUFS;
}

static int pool_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct sl_pool *p = mp->pool_data;
	uint32_t count = p->count;

	if (!owns(p))
		return -EPERM;
	if (count < n)
		return -ENOBUFS;
	memcpy(objs, &p->stack[count - n], n * sizeof(*objs));
	rte_compiler_barrier();
	p->count = count - n;
	return 0;
}

static unsigned int pool_count(const struct rte_mempool *mp)
{
	return ((const struct sl_pool *)mp->pool_data)->count;
}

struct rte_mempool *sl_pool_create(const char *name, struct sl_pool *pool, uint16_t data_room,
				   int socket)
{
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = data_room};
	struct rte_mempool *mp;
	int rc;

	mp = rte_mempool_create_empty(name, pool->capacity, sizeof(struct rte_mbuf) + data_room, 0,
				      sizeof(priv), socket, 0);
	if (!mp)
		return NULL;
	rc = rte_mempool_set_ops_byname(mp, SL_POOL_OPS, pool);
	if (rc)
		goto fail;
	rte_pktmbuf_pool_init(mp, &priv);
	sl_pool_act_as(pool->owner); /* filling it is a put */
	rc = rte_mempool_populate_default(mp);
	if (rc < 0)
		goto fail;
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
fail:
	rte_mempool_free(mp);
	rte_errno = -rc;
	return NULL;
}

unsigned int sl_pool_collect(struct sl_pool *p)
{
	void *objs[SL_BURST];
	unsigned int total = 0;

	for (unsigned int from = 0; from < SL_MAX_WORKERS; from++) {
		unsigned int n;

		if (!p->back[from])
			continue;
		n = rte_ring_sc_dequeue_burst(p->back[from], objs, SL_BURST, NULL);
		if (n)
			stack_push(p, objs, n);
		total += n;
	}
	return total;
}

/* A dead producer may have moved head and stored objects but not published: forget those. */
static void forget_unpublished(struct rte_ring *r)
{
	r->prod.head = r->prod.tail;
}

/* A dead consumer may have claimed objects that it never used: claim them again. */
static void reclaim_unused(struct rte_ring *r)
{
	r->cons.head = r->cons.tail;
}

void sl_pool_repair(struct sl_pool *const *pools, unsigned int n_pools, unsigned int id)
{
	for (unsigned int i = 0; i < n_pools; i++) {
		if (i == id)
			continue;
		forget_unpublished(pools[i]->back[id]);
		reclaim_unused(pools[id]->back[i]);
	}
}

static const struct rte_mempool_ops owner_ops = {
	.name = SL_POOL_OPS,
	.alloc = pool_alloc,
	.free = pool_free,
	.enqueue = pool_enqueue,
	.dequeue = pool_dequeue,
	.get_count = pool_count,
};
RTE_MEMPOOL_REGISTER_OPS(owner_ops);
