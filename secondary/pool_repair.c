/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffer pools after a death: where is each buffer? The story is in <sluice/pool.h>.
 *
 * Nearly all of them are on their owner's stack, and marks are as far apart as buffers, a walk over
 * which waits for memory. So the stack is read first, which is dense, and only the marks of the
 * others are looked at; another worker's pool not at all when the dead one had nothing of it.
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

#define AHEAD 32 /* buffers whose marks are fetched at a time */

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

/* What never changes of each worker's pool; its places are those of number_places(). */
static struct view {
	uint32_t *buffer; /* which one is at a place */
	uint64_t *exists; /* a bit for each place that has one */
} views[SL_MAX_WORKERS];

/* Of the pool that is looked at: those that are not on the stack. */
static uint64_t *off;

static uint32_t words_of(const struct sl_pool *p)
{
	return p->places / 64 + 1;
}

static uint32_t place_of(const struct sl_pool *p, const void *m)
{
	return (uint32_t)(((uintptr_t)m - p->first) >> p->place_shift);
}

static int make_view(struct view *v, struct sl_pool *p)
{
	free(v->buffer);
	free(v->exists);
	v->buffer = calloc(p->places, sizeof(*v->buffer));
	v->exists = calloc(words_of(p), sizeof(*v->exists));
	if (!v->buffer || !v->exists)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->capacity; i++) {
		uint32_t place = place_of(p, all_of(p)[i]);

		v->buffer[place] = i;
		v->exists[place / 64] |= UINT64_C(1) << place % 64;
	}
	return 0;
}

int sl_pool_prepare(struct sl_pool *const *pools, unsigned int n_pools)
{
	uint32_t words = 0;

	for (unsigned int i = 0; i < n_pools; i++) {
		if (make_view(&views[pools[i]->owner], pools[i]))
			return -ENOMEM;
		words = RTE_MAX(words, words_of(pools[i]));
	}
	free(off);
	off = malloc(words * sizeof(*off));
	if (!off)
		return -ENOMEM;
	memset(off, 0xff, words * sizeof(*off)); /* touched, too */
	return 0;
}

/*
 * Of another's pool, whose owner goes on meanwhile: who is found here was on its stack a moment
 * ago, or about to be, and so not in the dead one's hands, whose marks nobody but us changes.
 */
static void note_stack(const struct sl_pool *p)
{
	uint32_t count = __atomic_load_n(&p->count, __ATOMIC_ACQUIRE);

	memcpy(off, views[p->owner].exists, words_of(p) * sizeof(*off));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t place = place_of(p, p->stack[i]);

		off[place / 64] &= ~(UINT64_C(1) << place % 64);
	}
}

/* The next ones that were not on the stack, from *word on; their marks are on the way. 0: no more.
 */
static unsigned int next_off_stack(struct sl_pool *p, uint32_t *word, struct rte_mbuf *m[AHEAD])
{
	const struct view *v = &views[p->owner];
	unsigned int n = 0;

	for (; *word < words_of(p); ++*word)
		for (; off[*word]; off[*word] &= off[*word] - 1) {
			uint32_t place = *word * 64 + (uint32_t)__builtin_ctzll(off[*word]);

			if (n == AHEAD)
				return n;
			m[n] = all_of(p)[v->buffer[place]];
			rte_prefetch0(mark_of(p, m[n++]));
		}
	return n;
}

/* Own buffers that are neither on the stack nor lent. */
static void quarantine_own(struct sl_pool *p)
{
	struct rte_mbuf *m[AHEAD];
	uint32_t word = 0, n = 0;
	unsigned int k;

	note_stack(p);
	while ((k = next_off_stack(p, &word, m)))
		while (k--) {
			uint8_t *mark = mark_of(p, m[k]);

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
	struct rte_mbuf *m[AHEAD];
	uint32_t word = 0, n = 0;
	unsigned int k;

	note_stack(p);
	while ((k = next_off_stack(p, &word, m)))
		while (k--) {
			uint8_t *mark = mark_of(p, m[k]);

			if (*mark == (MARK_HELD | id))
				*mark = (uint8_t)(MARK_QUARANTINED_FOREIGN | id);
			n += *mark == (MARK_QUARANTINED_FOREIGN | id);
		}
	return n;
}

/* What was taken from a ring goes home by the ring back, so their ends tell how many did not yet.
 */
static bool has_some(const struct sl_pool *p, const struct rte_ring *redirect_in, unsigned int id)
{
	return redirect_in->cons.tail != p->back[id]->prod.tail;
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
		if (has_some(pools[i], redirect_in[i], id))
			own->quarantined_foreign += quarantine_foreign(pools[i], id);
	}
	quarantine_own(own);
}

static void give_quarantined(struct sl_pool *p, unsigned int mark)
{
	struct rte_mbuf *m[AHEAD];
	uint32_t word = 0;
	unsigned int k;

	note_stack(p);
	while ((k = next_off_stack(p, &word, m)))
		while (k--)
			if (*mark_of(p, m[k]) == mark)
				pool_put(p, (void *const *)&m[k], 1);
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
