/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: next hop. A connection remembers the neighbour of each direction, so only its first
 * packet after a change asks for route and neighbour.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>

#include <sluice/snapshot.h>

#include "secondary/frame.h"
#include "secondary/worker.h"

/* The neighbour towards `addr`; 0 with *why when there is none. */
static uint16_t resolve(struct worker *w, uint32_t addr, uint8_t *why)
{
	const struct sl_next_hop *hop = sl_route_find(w->snapshot, addr);
	uint16_t at;

	if (!hop) {
		*why = SL_DROP_NO_ROUTE;
		return 0;
	}
	if (hop->flags & SL_ROUTE_BLACKHOLE) {
		*why = SL_DROP_BLACKHOLE;
		return 0;
	}
	at = neigh_get(w, hop, hop->gateway ? hop->gateway : addr);
	if (!at)
		*why = SL_DROP_NEIGHBOUR_TABLE_FULL;
	return at;
}

static uint16_t neighbour_of(struct worker *w, struct sl_conn *e, unsigned int dir, uint8_t *why)
{
	if (unlikely(e->neigh_epoch != w->neighs.epoch)) {
		e->neigh[SL_DIR_IN] = 0;
		e->neigh[SL_DIR_OUT] = 0;
		e->neigh_epoch = w->neighs.epoch;
	}
	if (unlikely(!e->neigh[dir]))
		e->neigh[dir] = resolve(w, e->key[!dir].saddr, why);
	return e->neigh[dir];
}

static void send_one(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn *e = &w->conns.entry[b->conn[at]];
	struct rte_mbuf *m = b->pkt[at];
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t neigh = neighbour_of(w, e, b->dir[at], &why);

	if (unlikely(!neigh)) {
		burst_drop(b, at, why);
		return;
	}
	if (unlikely(m->pkt_len > w->frame_max[w->neighs.entry[neigh].port])) {
		burst_drop(b, at, SL_DROP_TOO_BIG);
		return;
	}
	if (likely(neigh_send(w, neigh, m, &why)))
		burst_verdict(b, at, VERDICT_HELD, 0);
	else
		burst_drop(b, at, why);
}

void stage_nexthop(struct worker *w, struct burst *b, const struct list *l)
{
	for (unsigned int k = 0; k < l->n; k++)
		send_one(w, b, l->at[k]);
}
