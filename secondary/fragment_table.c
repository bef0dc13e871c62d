/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/fragment_table.h"

#include <assert.h>
#include <string.h>

#include <rte_mbuf.h>

#include "secondary/conn6.h"
#include "secondary/fragment.h"
#include "secondary/worker.h"

static_assert(sizeof(struct fragment_table) <= SL_FRAGMENT_BYTES, "there is room in the slot");

void fragment_table_attach(struct worker *w, bool empty)
{
	struct fragment_table *t = w->slot->fragments;

	w->fragments = t;
	if (!empty && t->wait_head)
		return;
	t->live = 0;
	t->n_ready = 0;
	t->wait_head = t->wait_tail = 1;
	memset(t->tag, 0, sizeof(t->tag));
	memset(t->wait, 0, sizeof(t->wait));
}

/* ---- finding ------------------------------------------------------------------------------ */

/* Keyed as the index of connections is, so that nobody can aim at the set of others. */
static uint64_t hash_pair(const struct worker *w, const struct fragment_key *key)
{
	const uint64_t *secret = w->conns.secret;
	uint64_t k[4];

	memcpy(k, key, sizeof(k));
	return conn6_fold(conn6_fold(k[0] ^ secret[0], k[1] ^ secret[1]) ^ secret[0],
			  conn6_fold(k[2] ^ secret[1], k[3] ^ secret[0]) ^ secret[1]);
}

static uint32_t tag_of(const struct worker *w, const struct fragment_key *key, uint64_t pair)
{
	uint64_t own = (uint64_t)key->id << 32 | key->proto;

	return (uint32_t)(conn6_fold(own ^ w->conns.secret[1], pair ^ w->conns.secret[0]) >> 32) |
	       1;
}

static struct fragment_datagram *at_way(struct fragment_table *t, uint32_t set, uint32_t way)
{
	return &t->datagram[set * FRAGMENT_WAYS + way];
}

static uint32_t number_of(const struct fragment_table *t, const struct fragment_datagram *d)
{
	return (uint32_t)(d - t->datagram);
}

static uint32_t *tag_at(struct fragment_table *t, const struct fragment_datagram *d)
{
	uint32_t n = number_of(t, d);

	return &t->tag[n / FRAGMENT_WAYS][n % FRAGMENT_WAYS];
}

static struct fragment_datagram *find(struct fragment_table *t, uint32_t set, uint32_t tag,
				      const struct fragment_key *key)
{
	for (uint32_t way = 0; way < FRAGMENT_WAYS; way++)
		if (t->tag[set][way] == tag &&
		    !memcmp(&at_way(t, set, way)->key, key, sizeof(*key)))
			return at_way(t, set, way);
	return NULL;
}

/* ---- waiting ------------------------------------------------------------------------------ */

static struct fragment_wait *wait_at(struct fragment_table *t, uint32_t number)
{
	return &t->wait[number % FRAGMENT_WAITING];
}

/* Takes its oldest waiting packet away from a datagram; NULL: none waits. */
static struct rte_mbuf *pop(struct fragment_table *t, struct fragment_datagram *d)
{
	struct fragment_wait *wait = wait_at(t, d->waits);
	struct rte_mbuf *m = wait->m;

	if (!d->waits)
		return NULL;
	d->waits = wait->next;
	wait->m = NULL;
	while (t->wait_tail != t->wait_head && !wait_at(t, t->wait_tail)->m)
		t->wait_tail++;
	return m;
}

static void drop_waiting(struct worker *w, struct fragment_datagram *d, enum sl_drop_reason why)
{
	struct rte_mbuf *m;

	while ((m = pop(w->fragments, d))) {
		count_drop(w, why, 1);
		rte_pktmbuf_free(m);
	}
}

static void forget(struct worker *w, struct fragment_datagram *d, enum sl_drop_reason why)
{
	drop_waiting(w, d, why);
	*tag_at(w->fragments, d) = 0;
	d->state = FRAGMENT_FREE;
	w->fragments->live--;
}

/* The oldest of all that wait gives way. */
static void drop_oldest(struct worker *w)
{
	struct fragment_table *t = w->fragments;
	struct fragment_datagram *d = &t->datagram[wait_at(t, t->wait_tail)->datagram];

	count_drop(w, SL_DROP_FRAGMENT_QUEUE_FULL, 1);
	rte_pktmbuf_free(pop(t, d));
}

void fragment_table_wait(struct worker *w, struct fragment_datagram *d, struct rte_mbuf *m)
{
	struct fragment_table *t = w->fragments;
	uint32_t number;

	/* two places are left free: 0 is no number, and none is another's still */
	if (t->wait_head - t->wait_tail >= FRAGMENT_WAITING - 2)
		drop_oldest(w);
	number = t->wait_head++;
	if (!number)
		number = t->wait_head++;
	*wait_at(t, number) = (struct fragment_wait){.m = m, .datagram = number_of(t, d)};
	if (d->waits)
		wait_at(t, d->waits_last)->next = number;
	else
		d->waits = number;
	d->waits_last = number;
}

/* ---- places in a datagram ------------------------------------------------------------------ */

/* Where in range[] it belongs; or why it does not. */
static enum sl_drop_reason place(const struct fragment_datagram *d, struct fragment_range r,
				 uint32_t *at)
{
	uint32_t i = d->n;

	while (i && d->range[i - 1].first >= r.first)
		i--;
	*at = i;
	if (i < d->n && d->range[i].first == r.first && d->range[i].end == r.end)
		return SL_DROP_FRAGMENT_DUPLICATE;
	if ((i < d->n && d->range[i].first < r.end) || (i && d->range[i - 1].end > r.first))
		return SL_DROP_FRAGMENT_OVERLAP;
	return FRAGMENT_TAKEN;
}

/* Behind the datagram's end, or an end before what is there, is no better than an overlap. */
static bool contradicts(const struct fragment_datagram *d, struct fragment_range r, bool more)
{
	if (d->length)
		return r.end > d->length || (!more && r.end != d->length);
	return !more && d->n && d->range[d->n - 1].end > r.end;
}

static enum sl_drop_reason insert(struct fragment_datagram *d, struct fragment_range r, bool more)
{
	enum sl_drop_reason why;
	uint32_t at;

	if (contradicts(d, r, more))
		return SL_DROP_FRAGMENT_OVERLAP;
	why = place(d, r, &at);
	if (why != FRAGMENT_TAKEN)
		return why;
	if (d->n == FRAGMENTS_MAX)
		return SL_DROP_FRAGMENT_TOO_MANY;
	memmove(&d->range[at + 1], &d->range[at], (d->n - at) * sizeof(d->range[0]));
	d->range[at] = r;
	d->n++;
	d->bytes += r.end - r.first;
	if (!more)
		d->length = r.end;
	return FRAGMENT_TAKEN;
}

/* ---- datagrams ------------------------------------------------------------------------------ */

/* A free place of the set; or the one of its oldest datagram, which gives way. */
static struct fragment_datagram *make_room(struct worker *w, uint32_t set)
{
	struct fragment_table *t = w->fragments;
	struct fragment_datagram *oldest = at_way(t, set, 0);

	for (uint32_t way = 0; way < FRAGMENT_WAYS; way++) {
		struct fragment_datagram *d = at_way(t, set, way);

		if (!t->tag[set][way])
			return d;
		if ((int32_t)(d->born - oldest->born) < 0)
			oldest = d;
	}
	w->stats->fragments_displaced++;
	forget(w, oldest, SL_DROP_FRAGMENT_TABLE_FULL);
	return oldest;
}

static struct fragment_datagram *begin(struct worker *w, uint32_t set, uint32_t tag,
				       const struct fragment_key *key)
{
	struct fragment_datagram *d = make_room(w, set);

	d->key = *key;
	d->state = FRAGMENT_WAITS;
	d->born = w->clock.tick;
	d->n = 0;
	d->length = d->bytes = 0;
	d->waits = 0;
	*tag_at(w->fragments, d) = tag;
	w->fragments->live++;
	return d;
}

enum sl_drop_reason fragment_table_take(struct worker *w, const struct fragment_key *key,
					struct fragment_range range, bool more,
					struct fragment_datagram **found)
{
	uint64_t pair = hash_pair(w, key);
	uint32_t set = pair % FRAGMENT_SETS, tag = tag_of(w, key, pair);
	struct fragment_datagram *d = find(w->fragments, set, tag, key);
	enum sl_drop_reason why;

	if (!d)
		d = begin(w, set, tag, key);
	*found = d;
	if (d->state == FRAGMENT_BROKEN)
		return SL_DROP_FRAGMENT_OVERLAP;
	why = insert(d, range, more);
	if (why == SL_DROP_FRAGMENT_OVERLAP) {
		d->state = FRAGMENT_BROKEN;
		drop_waiting(w, d, why);
	}
	return why;
}

void fragment_table_know(struct worker *w, struct fragment_datagram *d,
			 const struct fragment_flow *flow)
{
	struct fragment_table *t = w->fragments;
	struct rte_mbuf *m;

	d->flow = *flow;
	d->state = FRAGMENT_KNOWN;
	while ((m = pop(t, d))) {
		if (t->n_ready == FRAGMENT_WAITING) {
			count_drop(w, SL_DROP_FRAGMENT_QUEUE_FULL, 1);
			rte_pktmbuf_free(m);
			continue;
		}
		fragment_mark(w, m, flow);
		t->ready[t->n_ready++] = m;
	}
}

void fragment_table_done(struct worker *w, struct fragment_datagram *d)
{
	if (d->state == FRAGMENT_KNOWN && d->bytes == d->length)
		forget(w, d, SL_DROP_FRAGMENT_TABLE_FULL); /* nothing waits */
}

unsigned int fragment_table_ready(struct worker *w, struct rte_mbuf **m, unsigned int n)
{
	struct fragment_table *t = w->fragments;

	n = RTE_MIN(n, t->n_ready);
	memcpy(m, t->ready, n * sizeof(*m));
	memmove(t->ready, &t->ready[n], (t->n_ready - n) * sizeof(*m));
	t->n_ready -= n;
	return n;
}

void fragment_table_expire(struct worker *w)
{
	struct fragment_table *t = w->fragments;

	if (!t->live)
		return;
	for (uint32_t i = 0; i < FRAGMENT_SETS * FRAGMENT_WAYS; i++) {
		struct fragment_datagram *d = &t->datagram[i];

		if (*tag_at(t, d) && w->clock.tick - d->born >= FRAGMENT_TIMEOUT)
			forget(w, d, SL_DROP_FRAGMENT_TIMEOUT);
	}
}

void fragment_table_drop_waiting(struct worker *w)
{
	struct fragment_table *t = w->fragments;

	for (uint32_t i = 0; i < FRAGMENT_SETS * FRAGMENT_WAYS; i++)
		if (*tag_at(t, &t->datagram[i]))
			forget(w, &t->datagram[i], SL_DROP_WORKER_STOP);
	count_drop(w, SL_DROP_WORKER_STOP, t->n_ready);
	rte_pktmbuf_free_bulk(t->ready, t->n_ready);
	t->n_ready = 0;
}
