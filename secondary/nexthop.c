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

/* The connection's neighbour in this direction is not known, or of former routes. */
static __rte_noinline uint16_t ask_again(struct worker *w, struct sl_conn *e, unsigned int dir,
					 uint8_t *why)
{
	if (e->neigh_epoch != w->neighs.epoch) {
		e->neigh[SL_DIR_IN] = 0;
		e->neigh[SL_DIR_OUT] = 0;
		e->neigh_epoch = w->neighs.epoch;
	}
	if (!e->neigh[dir])
		e->neigh[dir] = resolve(w, e->key[!dir].saddr, why);
	return e->neigh[dir];
}

static inline void send_one(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn *e = b->conn[at];
	struct rte_mbuf *m = b->pkt[at];
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t neigh = e->neigh[b->dir[at]];

	if (unlikely(!neigh || e->neigh_epoch != w->neighs.epoch))
		neigh = ask_again(w, e, b->dir[at], &why);
	if (unlikely(!neigh)) {
		burst_drop(b, at, why);
		return;
	}
	if (unlikely(m->pkt_len > w->frame_max[w->neighs.entry[neigh].port])) {
		burst_drop(b, at, SL_DROP_TOO_BIG);
		return;
	}
	if (unlikely(!neigh_send(w, neigh, m, &why))) {
		burst_drop(b, at, why);
		return;
	}
	burst_verdict(b, at, VERDICT_HELD, 0);
	b->sent++;
}

void stage_nexthop(struct worker *w, struct burst *b, const struct list *l)
{
	unsigned int n = l->n;

	for (unsigned int k = 0; k < n; k++)
		send_one(w, b, l->at[k]);
}
