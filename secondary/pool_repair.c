/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffer pools after a death: where is each buffer? The story is in <sluice/pool.h>.
 *
 * Nearly all of them are on their owner's stack, and marks are as far apart as buffers, a walk over
 * which waits for memory. So the stacks are read first, which are dense, and only the marks of the
 * others are looked at.
 */
#include <sluice/pool.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <rte_atomic.h>
#include <rte_common.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>

#include "secondary/pool_marks.h"

#define AHEAD 32 /* buffers whose marks are fetched before their turn */

static void mark_places(const struct sl_pool *p, struct rte_ring *r, uint32_t from, uint32_t to,
			unsigned int mark)
{
	for (; from != to; from++)
		*mark_of(p, *place(r, from)) = (uint8_t)mark;
}

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

/* A bit for each place of a pool (number_places): is it on the stack? */
static uint64_t *on_stack;

int sl_pool_prepare(struct sl_pool *const *pools, unsigned int n_pools)
{
	uint32_t places = 0;

	for (unsigned int i = 0; i < n_pools; i++)
		places = RTE_MAX(places, pools[i]->places);
	free(on_stack);
	on_stack = malloc(places / 8 + sizeof(*on_stack));
	if (!on_stack)
		return -ENOMEM;
	memset(on_stack, 0xff, places / 8 + sizeof(*on_stack)); /* touched, too */
	return 0;
}

static uint32_t place_of(const struct sl_pool *p, const void *m)
{
	return (uint32_t)(((uintptr_t)m - p->first) >> p->place_shift);
}

/*
 * Of another's pool, whose owner goes on meanwhile: who is found here was on its stack a moment
 * ago, or about to be, and so not in the dead one's hands, whose marks nobody but us changes.
 */
static void note_stack(const struct sl_pool *p)
{
	uint32_t count = __atomic_load_n(&p->count, __ATOMIC_ACQUIRE);

	memset(on_stack, 0, p->places / 8 + sizeof(*on_stack));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t place = place_of(p, p->stack[i]);

		on_stack[place / 64] |= UINT64_C(1) << place % 64;
	}
}

static bool is_on_stack(const struct sl_pool *p, const void *m)
{
	uint32_t place = place_of(p, m);

	return on_stack[place / 64] >> place % 64 & 1;
}

/* The next buffer from *at on that was not on the stack; NULL: no more. */
static struct rte_mbuf *next_off_stack(struct sl_pool *p, uint32_t *at)
{
	struct rte_mbuf **all = all_of(p);

	while (*at < p->capacity) {
		uint32_t i = (*at)++;

		if (i + AHEAD < p->capacity && !is_on_stack(p, all[i + AHEAD]))
			rte_prefetch0(mark_of(p, all[i + AHEAD]));
		if (!is_on_stack(p, all[i]))
			return all[i];
	}
	return NULL;
}

/* Own buffers that are neither on the stack nor lent. */
static void quarantine_own(struct sl_pool *p)
{
	uint32_t at = 0, n = 0;
	struct rte_mbuf *m;

	note_stack(p);
	while ((m = next_off_stack(p, &at))) {
		uint8_t *mark = mark_of(p, m);

		if (*mark != MARK_MINE && *mark != MARK_QUARANTINED)
			continue;
		*mark = MARK_QUARANTINED;
		n++;
	}
	p->quarantined = n;
}

/* Others' buffers that the dead one had. Returns how many. */
static uint32_t quarantine_foreign(struct sl_pool *p, unsigned int id)
{
	uint32_t at = 0, n = 0;
	struct rte_mbuf *m;

	note_stack(p);
	while ((m = next_off_stack(p, &at))) {
		uint8_t *mark = mark_of(p, m);

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
	void *found[SL_BURST];
	unsigned int n = 0;
	struct rte_mbuf *m;
	uint32_t at = 0;

	note_stack(p);
	while ((m = next_off_stack(p, &at))) {
		if (*mark_of(p, m) != mark)
			continue;
		found[n++] = m;
		if (n == SL_BURST) {
			pool_put(p, found, n);
			n = 0;
		}
	}
	if (n)
		pool_put(p, found, n);
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
