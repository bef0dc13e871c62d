/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/neigh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>
#include <rte_ring_elem.h>

#include <sluice/snapshot.h>

#include "secondary/arp.h"
#include "secondary/ndp.h"
#include "secondary/worker.h"

/* ---- table --------------------------------------------------------------------- */

static uint32_t chain_of(const struct neigh_table *t, uint8_t port, const struct sl_addr *addr)
{
	return (uint32_t)(((sl_addr_fold(addr) ^ (uint64_t)port << 32) *
			   UINT64_C(0x9e3779b97f4a7c15)) >>
			  32) &
	       t->head_mask;
}

static void chain_add(struct neigh_table *t, uint16_t at)
{
	uint32_t c = chain_of(t, t->entry[at].port, &t->entry[at].addr);

	t->next[at] = t->head[c];
	t->head[c] = at;
}

static void chain_remove(struct neigh_table *t, uint16_t at)
{
	uint16_t *p = &t->head[chain_of(t, t->entry[at].port, &t->entry[at].addr)];

	while (*p != at)
		p = &t->next[*p];
	*p = t->next[at];
}

static uint16_t find(const struct neigh_table *t, uint8_t port, const struct sl_addr *addr)
{
	uint16_t at = t->head[chain_of(t, port, addr)];

	while (at && (!sl_addr_equal(&t->entry[at].addr, addr) || t->entry[at].port != port))
		at = t->next[at];
	return at;
}

/* Zeros that are there already, so that no page has to be found when the lease comes. */
static void *touched(size_t n, size_t size)
{
	void *p = malloc(n * size);

	if (p)
		explicit_bzero(p, n * size); /* memset could become a calloc */
	return p;
}

int neigh_prepare(struct worker *w)
{
	struct neigh_table *t = &w->neighs;
	uint32_t heads = rte_align32pow2(w->root->max_neighbours);

	/* one more than the operator asked for, since entry 0 stands for none */
	t->capacity = w->root->max_neighbours + 1;
	t->entry = w->slot->neighbours;
	t->waiting = (struct neigh_waiting *)&t->entry[t->capacity];
	if (t->capacity * (sizeof(*t->entry) + sizeof(*t->waiting)) > w->slot->neighbour_bytes)
		return -EOVERFLOW;
	t->head = touched(heads, sizeof(*t->head));
	t->next = touched(t->capacity, sizeof(*t->next));
	if (!t->head || !t->next)
		return -ENOMEM;
	t->head_mask = heads - 1;
	t->next_free = 1;
	return 0;
}

void neigh_attach(struct worker *w)
{
	struct neigh_table *t = &w->neighs;

	t->epoch = (uint16_t)w->slot->worker.neigh_epoch;
	neigh_new_epoch(w);
	for (uint32_t i = 1; i < t->capacity; i++) {
		if (t->entry[i].state == NEIGH_STATE_NONE)
			continue;
		if (t->entry[i].state == NEIGH_STATE_REACHABLE)
			t->entry[i].state = NEIGH_STATE_STALE; /* confirmed again at first use */
		chain_add(t, (uint16_t)i);
	}
}

void neigh_new_epoch(struct worker *w)
{
	if (++w->neighs.epoch == 0)
		w->neighs.epoch = 1;
	w->slot->worker.neigh_epoch = w->neighs.epoch;
}

static uint16_t take_free(struct neigh_table *t)
{
	for (uint32_t k = 0; k < t->capacity - 1; k++) {
		uint32_t i = t->next_free + k;

		if (i >= t->capacity)
			i -= t->capacity - 1;
		if (t->entry[i].state == NEIGH_STATE_NONE) {
			t->next_free = i;
			return (uint16_t)i;
		}
	}
	return 0;
}

static uint16_t create(struct worker *w, uint8_t port, const struct sl_addr *addr,
		       const struct sl_addr *source, enum neigh_state state)
{
	struct neigh_table *t = &w->neighs;
	uint16_t at = take_free(t);
	struct neigh *n = &t->entry[at];

	if (!at)
		return 0;
	*n = (struct neigh){.port = port, .addr = *addr, .source = *source};
	rte_compiler_barrier();
	n->state = (uint8_t)state;
	chain_add(t, at);
	return at;
}

/* The entry is free for another address: connections that hold its number ask again. */
static void destroy(struct worker *w, uint16_t at)
{
	chain_remove(&w->neighs, at);
	w->neighs.entry[at].state = NEIGH_STATE_NONE;
	neigh_new_epoch(w);
}

/* ---- asking -------------------------------------------------------------------- */

static void ask(struct worker *w, struct neigh *n)
{
	const struct rte_ether_hdr *l2 = (const struct rte_ether_hdr *)n->l2;

	const struct rte_ether_addr *known = n->state == NEIGH_STATE_PROBE ? &l2->dst_addr : NULL;

	if (sl_addr_is_v4(&n->addr))
		arp_request(w, n->port, sl_addr_v4(&n->source), sl_addr_v4(&n->addr), known);
	else
		ndp_solicit(w, n->port, &n->source, &n->addr, known);
	n->probes++;
	n->due = w->clock.tick + NEIGH_RETRY;
}

static void start_asking(struct worker *w, struct neigh *n, enum neigh_state state)
{
	n->state = (uint8_t)state;
	n->probes = 0;
	ask(w, n);
}

uint16_t neigh_get(struct worker *w, const struct sl_next_hop *hop, const struct sl_addr *addr)
{
	uint16_t at = find(&w->neighs, hop->port, addr);

	if (at) {
		w->neighs.entry[at].source = hop->source;
		return at;
	}
	at = create(w, hop->port, addr, &hop->source, NEIGH_STATE_INCOMPLETE);
	if (at)
		start_asking(w, &w->neighs.entry[at], NEIGH_STATE_INCOMPLETE);
	return at;
}

/* ---- packets --------------------------------------------------------------------- */

static void transmit(struct worker *w, const struct neigh *n, struct rte_mbuf *m)
{
	memcpy(rte_pktmbuf_mtod(m, char *), n->l2, sizeof(n->l2));
	tx_put(w, n->port, m);
}

static bool wait_for(struct worker *w, uint16_t at, struct rte_mbuf *m, uint8_t *why)
{
	struct neigh_waiting *q = &w->neighs.waiting[at];

	if (q->n == NEIGH_WAITING) {
		*why = SL_DROP_NEIGHBOUR_QUEUE_FULL;
		return false;
	}
	q->pkt[q->n++] = m;
	return true;
}

bool neigh_send_unconfirmed(struct worker *w, uint16_t at, struct rte_mbuf *m, uint8_t *why)
{
	struct neigh *n = &w->neighs.entry[at];

	switch (n->state) {
	case NEIGH_STATE_STALE:
		start_asking(w, n, NEIGH_STATE_PROBE);
		/* fall through */
	case NEIGH_STATE_PROBE: transmit(w, n, m); return true;
	case NEIGH_STATE_INCOMPLETE: return wait_for(w, at, m, why);
	default: *why = SL_DROP_NEIGHBOUR_FAILED; return false;
	}
}

static void release_waiting(struct worker *w, uint16_t at)
{
	struct neigh_waiting *q = &w->neighs.waiting[at];

	for (unsigned int i = 0; i < q->n; i++)
		transmit(w, &w->neighs.entry[at], q->pkt[i]);
	q->n = 0;
}

static void drop_waiting(struct worker *w, uint16_t at, enum sl_drop_reason why)
{
	struct neigh_waiting *q = &w->neighs.waiting[at];

	count_drop(w, why, q->n);
	rte_pktmbuf_free_bulk(q->pkt, q->n);
	q->n = 0;
}

void neigh_forget_waiting(struct worker *w)
{
	for (uint32_t i = 1; i < w->neighs.capacity; i++)
		w->neighs.waiting[i].n = 0;
}

void neigh_drop_waiting(struct worker *w)
{
	for (uint32_t i = 1; i < w->neighs.capacity; i++)
		drop_waiting(w, (uint16_t)i, SL_DROP_WORKER_STOP);
}

/* ---- learning -------------------------------------------------------------------- */

static void confirm(struct worker *w, uint16_t at, const uint8_t mac[6])
{
	struct neigh *n = &w->neighs.entry[at];
	struct rte_ether_hdr *l2 = (struct rte_ether_hdr *)n->l2;

	n->state = NEIGH_STATE_INCOMPLETE;
	rte_compiler_barrier();
	memcpy(&l2->dst_addr, mac, sizeof(l2->dst_addr));
	l2->src_addr = w->root->port[n->port].mac;
	l2->ether_type = sl_addr_is_v4(&n->addr) ? RTE_BE16(RTE_ETHER_TYPE_IPV4)
						 : RTE_BE16(RTE_ETHER_TYPE_IPV6);
	n->due = w->clock.tick + NEIGH_REACHABLE;
	rte_compiler_barrier();
	n->state = NEIGH_STATE_REACHABLE;
	release_waiting(w, at);
}

bool neigh_on_link(const struct worker *w, const struct sl_addr *addr, unsigned int port)
{
	const struct sl_next_hop *hop;

	if (sl_addr_is_link_local(addr))
		return true;
	hop = sl_route_find_addr(w->snapshot, addr);
	return hop && hop->port == port && sl_addr_is_none(&hop->gateway) &&
	       !(hop->flags & SL_ROUTE_BLACKHOLE);
}

void neigh_learn(struct worker *w, const struct sl_neighbour_event *ev)
{
	static const struct sl_addr none;
	uint16_t at = find(&w->neighs, ev->port, &ev->addr);

	/* INCOMPLETE and without a MAC until confirm() has written it */
	if (!at && ev->to_us)
		at = create(w, ev->port, &ev->addr, &none, NEIGH_STATE_INCOMPLETE);
	if (at)
		confirm(w, at, ev->mac);
}

void neigh_tell_others(struct worker *w, const struct sl_neighbour_event *ev)
{
	struct sl_neighbour_event copy = *ev;

	for (unsigned int i = 0; i < w->n_workers; i++) {
		if (i == w->id)
			continue;
		if (rte_ring_sp_enqueue_elem(w->root->worker[i]->neighbour[w->id], &copy,
					     sizeof(copy)))
			w->stats->neighbour_events_lost++;
	}
}

/* A message of another process: its fields are checked before use. */
static void event_input(struct worker *w, const struct sl_neighbour_event *ev)
{
	struct rte_ether_addr mac;

	memcpy(&mac, ev->mac, sizeof(mac));
	if (ev->port < w->n_ports && !sl_addr_is_none(&ev->addr) &&
	    rte_is_valid_assigned_ether_addr(&mac))
		neigh_learn(w, ev);
}

void neigh_drain_events(struct worker *w)
{
	struct sl_neighbour_event ev[8];

	for (unsigned int i = 0; i < w->n_workers; i++) {
		unsigned int n;

		if (i == w->id)
			continue;
		n = rte_ring_sc_dequeue_burst_elem(w->slot->neighbour[i], ev, sizeof(ev[0]),
						   RTE_DIM(ev), NULL);
		for (unsigned int k = 0; k < n; k++)
			event_input(w, &ev[k]);
	}
}

/* ---- timers ------------------------------------------------------------------------ */

static void probe_due(struct worker *w, uint16_t at)
{
	struct neigh *n = &w->neighs.entry[at];

	if (n->probes < NEIGH_PROBES) {
		ask(w, n);
	} else if (n->state == NEIGH_STATE_PROBE) {
		start_asking(w, n, NEIGH_STATE_INCOMPLETE);
	} else {
		n->state = NEIGH_STATE_FAILED;
		n->due = w->clock.tick + NEIGH_FAILED;
		drop_waiting(w, at, SL_DROP_NEIGHBOUR_FAILED);
	}
}

static void entry_due(struct worker *w, uint16_t at)
{
	struct neigh *n = &w->neighs.entry[at];

	switch (n->state) {
	case NEIGH_STATE_INCOMPLETE:
	case NEIGH_STATE_PROBE: probe_due(w, at); break;
	case NEIGH_STATE_REACHABLE:
		n->state = NEIGH_STATE_STALE;
		n->due = w->clock.tick + NEIGH_UNUSED;
		break;
	default: destroy(w, at); /* failed; or stale, which its first use would have ended */
	}
}

/* A tenth of the table each tick, so that every entry is looked at once a second. */
void neigh_tick(struct worker *w)
{
	struct neigh_table *t = &w->neighs;
	uint32_t looks = t->capacity / SL_TICK_HZ + 1;

	while (looks--) {
		if (++t->swept >= t->capacity)
			t->swept = 1;
		if (t->entry[t->swept].state != NEIGH_STATE_NONE &&
		    t->entry[t->swept].due <= w->clock.tick)
			entry_due(w, (uint16_t)t->swept);
	}
}
