/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/nexthop.h"

#include <sluice/snapshot.h>

/* The neighbour towards `addr`. */
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

uint16_t nexthop_resolve(struct worker *w, struct sl_conn *e, unsigned int dir, uint8_t *why)
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
