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
#include <rte_common.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "secondary/fragment_table.h"
#include "secondary/pool_marks.h"

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

/* The stack, and a list of all buffers behind it. */
size_t sl_pool_size(uint32_t capacity)
{
	return sizeof(struct sl_pool) + 2 * (size_t)capacity * sizeof(void *);
}

/* ---- marks and rings ------------------------------------------------------------- */

static void mark_all(const struct sl_pool *p, void *const *objs, unsigned int n, unsigned int mark)
{
	for (unsigned int i = 0; i < n; i++)
		*mark_of(p, objs[i]) = (uint8_t)mark;
}

/* Who dies after head moved leaves what he was about to pass on between tail and head. */
static unsigned int produce(const struct sl_pool *p, struct rte_ring *r, void *const *objs,
			    unsigned int n, unsigned int mark)
{
	uint32_t tail = r->prod.tail;
	uint32_t used = tail - __atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE);

	n = RTE_MIN(n, r->capacity - used);
	for (unsigned int i = 0; i < n; i++)
		*place(r, tail + i) = objs[i];
	rte_compiler_barrier();
	r->prod.head = tail + n;
	rte_compiler_barrier();
	mark_all(p, objs, n, mark);
	__atomic_store_n(&r->prod.tail, tail + n, __ATOMIC_RELEASE);
	return n;
}

static unsigned int consume(const struct sl_pool *p, struct rte_ring *r, void **objs,
			    unsigned int n, unsigned int mark)
{
	uint32_t tail = r->cons.tail;
	uint32_t there = __atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE) - tail;

	n = RTE_MIN(n, there);
	for (unsigned int i = 0; i < n; i++)
		objs[i] = *place(r, tail + i);
	mark_all(p, objs, n, mark);
	rte_compiler_barrier();
	r->cons.head = tail + n;
	__atomic_store_n(&r->cons.tail, tail + n, __ATOMIC_RELEASE);
	return n;
}

unsigned int sl_pool_lend(struct sl_pool *own, struct rte_ring *ring, unsigned int to,
			  struct rte_mbuf **m, unsigned int n)
{
	return produce(own, ring, (void *const *)m, n, MARK_LENT | to);
}

unsigned int sl_pool_borrow(const struct sl_pool *own, struct rte_ring *ring, struct rte_mbuf **m,
			    unsigned int n)
{
	return consume(own, ring, (void **)m, n, MARK_HELD | own->owner);
}

void sl_pool_delivered(struct sl_pool *own, struct rte_mbuf **m, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint8_t *mark = mark_of(own, m[i]);

		if (*mark != MARK_QUARANTINED)
			continue;
		*mark = MARK_MINE;
		own->quarantined--;
	}
}

/* ---- the stack ------------------------------------------------------------------- */

static void stack_push(struct sl_pool *p, void *const *objs, unsigned int n)
{
	uint32_t count = p->count;

	RTE_ASSERT(count + n <= p->capacity);
	if (unlikely(p->quarantined)) /* a transmit queue gave some back */
		sl_pool_delivered(p, (struct rte_mbuf **)(uintptr_t)objs, n);
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

int pool_put(struct sl_pool *p, void *const *objs, unsigned int n)
{
	if (owns(p)) {
		stack_push(p, objs, n);
		return 0;
	}
	if (self >= SL_MAX_WORKERS)
		return -EPERM;
	produce(p, p->back[self], objs, n, MARK_BACK | self);
	return 0;
}

static int pool_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	return pool_put(mp->pool_data, objs, n);
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

/* Where a buffer begins tells it from all others, in steps no longer than the shortest. */
static void number_places(struct sl_pool *p, size_t size)
{
	uintptr_t last = 0;

	p->first = UINTPTR_MAX;
	for (uint32_t i = 0; i < p->capacity; i++) {
		p->first = RTE_MIN(p->first, (uintptr_t)p->stack[i]);
		last = RTE_MAX(last, (uintptr_t)p->stack[i]);
	}
	p->place_shift = rte_log2_u32((uint32_t)size + 1) - 1;
	p->places = (uint32_t)((last - p->first) >> p->place_shift) + 1;
}

/* Room for struct fragment_flow. Drivers leave a buffer that they receive without the flag. */
static int register_flow(struct sl_pool *pool)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "sl_fragment_flow",
		.size = sizeof(struct fragment_flow),
		.align = _Alignof(struct fragment_flow),
	};
	static const struct rte_mbuf_dynflag flag = {.name = "sl_fragment_flow"};
	int bit;

	pool->flow_offset = rte_mbuf_dynfield_register(&field);
	bit = pool->flow_offset < 0 ? -1 : rte_mbuf_dynflag_register(&flag);
	if (bit < 0)
		return -rte_errno;
	pool->flow_flag = RTE_BIT64(bit);
	return 0;
}

struct rte_mempool *sl_pool_create(const char *name, struct sl_pool *pool, uint16_t data_room,
				   int socket)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "sl_pool_mark",
		.size = 1,
		.align = 1,
	};
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = data_room};
	struct rte_mempool *mp;
	int rc;

	pool->mark_offset = rte_mbuf_dynfield_register(&field);
	if (pool->mark_offset < 0 || register_flow(pool))
		return NULL;
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
	memcpy(all_of(pool), pool->stack, pool->capacity * sizeof(pool->stack[0]));
	number_places(pool, mp->elt_size);
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
		n = consume(p, p->back[from], objs, SL_BURST, MARK_MINE);
		if (n)
			stack_push(p, objs, n);
		total += n;
	}
	return total;
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
