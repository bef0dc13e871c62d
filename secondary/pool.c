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
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>
#include <rte_ring.h>

#define AHEAD    32 /* buffers whose marks are fetched before their turn */
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

static struct rte_mbuf **all_of(struct sl_pool *p)
{
	return (struct rte_mbuf **)&p->stack[p->capacity];
}

/* ---- marks and rings ------------------------------------------------------------- */

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

static uint8_t *mark_of(const struct sl_pool *p, void *m)
{
	return (uint8_t *)m + p->mark_offset;
}

static void mark_all(const struct sl_pool *p, void *const *objs, unsigned int n, unsigned int mark)
{
	for (unsigned int i = 0; i < n; i++)
		*mark_of(p, objs[i]) = (uint8_t)mark;
}

static void **place(struct rte_ring *r, uint32_t at)
{
	return &((void **)&r[1])[at & r->mask];
}

static void mark_places(const struct sl_pool *p, struct rte_ring *r, uint32_t from, uint32_t to,
			unsigned int mark)
{
	for (; from != to; from++)
		*mark_of(p, *place(r, from)) = (uint8_t)mark;
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

/* The owner's go to its stack, a guest's to the ring back. */
static int pool_put(struct sl_pool *p, void *const *objs, unsigned int n)
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
	if (pool->mark_offset < 0)
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

/* ---- after a death ---------------------------------------------------------------- */

/* What was not published is in the dead one's hands as before. */
static void unproduce(const struct sl_pool *p, struct rte_ring *r, unsigned int mark)
{
	mark_places(p, r, r->prod.tail, r->prod.head, mark);
	rte_compiler_barrier();
	r->prod.head = r->prod.tail;
}

/* What was not used is in the ring as before; its producer may be adding to it. */
static void unconsume(const struct sl_pool *p, struct rte_ring *r, unsigned int mark)
{
	mark_places(p, r, r->cons.tail, __atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE), mark);
	r->cons.head = r->cons.tail;
}

/* Marks are far apart: the walk would wait for memory at each. */
static void prefetch_mark(const struct sl_pool *p, struct rte_mbuf *const *list, uint32_t i,
			  uint32_t n)
{
	if (i + AHEAD < n)
		rte_prefetch0(mark_of(p, list[i + AHEAD]));
}

/* Own buffers that are neither on the stack nor lent. */
static void quarantine_own(struct sl_pool *p)
{
	struct rte_mbuf **all = all_of(p), **on_stack = (struct rte_mbuf **)p->stack;
	uint32_t mine = 0;

	for (uint32_t i = 0; i < p->capacity; i++) {
		uint8_t *mark = mark_of(p, all[i]);

		prefetch_mark(p, all, i, p->capacity);
		if (*mark != MARK_MINE && *mark != MARK_QUARANTINED)
			continue;
		*mark = MARK_QUARANTINED;
		mine++;
	}
	for (uint32_t i = 0; i < p->count; i++) {
		prefetch_mark(p, on_stack, i, p->count);
		*mark_of(p, on_stack[i]) = MARK_MINE;
	}
	p->quarantined = mine - p->count;
}

/* Others' buffers that the dead one had. Returns how many. */
static uint32_t quarantine_foreign(struct sl_pool *p, unsigned int id)
{
	struct rte_mbuf **all = all_of(p);
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->capacity; i++) {
		uint8_t *mark = mark_of(p, all[i]);

		prefetch_mark(p, all, i, p->capacity);
		if (*mark == (MARK_HELD | id))
			*mark = (uint8_t)(MARK_QUARANTINED_FOREIGN | id);
		n += *mark == (MARK_QUARANTINED_FOREIGN | id);
	}
	return n;
}

void sl_pool_repair(struct sl_pool *const *pools, unsigned int n_pools, unsigned int id,
		    struct rte_ring *const *redirect_in, struct rte_ring *const *redirect_out)
{
	struct sl_pool *own = pools[id];

	own->quarantined_foreign = 0;
	for (unsigned int i = 0; i < n_pools; i++) {
		if (i == id)
			continue;
		unproduce(own, redirect_out[i], MARK_MINE);
		unproduce(pools[i], pools[i]->back[id], MARK_HELD | id);
		unconsume(own, redirect_in[i], MARK_LENT | id);
		unconsume(own, own->back[i], MARK_BACK | i);
		own->quarantined_foreign += quarantine_foreign(pools[i], id);
	}
	quarantine_own(own);
}

/* Room for the list is on the stack of the program: a burst at a time. */
static void give_quarantined(struct sl_pool *p, unsigned int mark)
{
	struct rte_mbuf **all = all_of(p);
	void *found[SL_BURST];
	unsigned int n = 0;

	for (uint32_t i = 0; i < p->capacity; i++) {
		if (*mark_of(p, all[i]) == mark)
			found[n++] = all[i];
		if (n == SL_BURST || (n && i + 1 == p->capacity)) {
			pool_put(p, found, n);
			n = 0;
		}
	}
}

unsigned int sl_pool_settle(struct sl_pool *const *pools, unsigned int n_pools, unsigned int id)
{
	struct sl_pool *own = pools[id];
	unsigned int n = own->quarantined;

	if (n)
		give_quarantined(own, MARK_QUARANTINED);
	for (unsigned int i = 0; own->quarantined_foreign && i < n_pools; i++)
		if (i != id)
			give_quarantined(pools[i], MARK_QUARANTINED_FOREIGN | id);
	own->quarantined_foreign = 0;
	return n;
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
