/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/nexthop.h"

#include <rte_byteorder.h>

#include <sluice/snapshot.h>

static uint16_t towards(struct worker *w, const struct sl_next_hop *hop, const struct sl_addr *addr)
{
	return neigh_get(w, hop, sl_addr_is_none(&hop->gateway) ? addr : &hop->gateway);
}

/* By the routes: its range, its neighbour. `known` is where the answer is kept. */
static uint16_t search(struct worker *w, uint32_t addr, unsigned int dir,
		       struct nexthop_known *known, uint8_t *why)
{
	uint32_t host = rte_be_to_cpu_32(addr), range = sl_route_range(w->snapshot, host);
	const struct sl_next_hop *hop = sl_route_hop(w->snapshot, range);
	const uint32_t *start = sl_snapshot_at(w->snapshot, w->snapshot->route_start);
	uint16_t at;

	if (!hop) {
		*why = SL_DROP_NO_ROUTE;
		return 0;
	}
	if (hop->flags & SL_ROUTE_BLACKHOLE) {
		*why = SL_DROP_BLACKHOLE;
		return 0;
	}
	at = towards(w, hop, &(struct sl_addr)SL_ADDR_V4(addr));
	if (!at)
		*why = SL_DROP_NEIGHBOUR_TABLE_FULL;
	else if (!sl_addr_is_none(&hop->gateway))
		w->nexthops.behind[dir] = (struct nexthop_range){
			.first = start[range],
			.span = sl_route_range_end(w->snapshot, range) - start[range],
			.neigh = at};
	else
		*known = (struct nexthop_known){.addr = addr, .neigh = at};
	return at;
}

/* The neighbour towards `addr`. */
static uint16_t resolve(struct worker *w, uint32_t addr, unsigned int dir, uint8_t *why)
{
	struct nexthop_cache *c = &w->nexthops;
	const struct nexthop_range *behind = &c->behind[dir];
	struct nexthop_known *known = &c->known[rte_be_to_cpu_32(addr) % NEXTHOP_KNOWN];

	if (unlikely(c->epoch != w->neighs.epoch)) {
		memset(c, 0, sizeof(*c));
		c->epoch = w->neighs.epoch;
	}
	if (behind->neigh && rte_be_to_cpu_32(addr) - behind->first <= behind->span)
		return behind->neigh;
	if (known->neigh && known->addr == addr)
		return known->neigh;
	return search(w, addr, dir, known, why);
}

static void forget_old(struct worker *w, struct sl_conn_core *e)
{
	if (e->neigh_epoch == w->neighs.epoch)
		return;
	e->neigh[SL_DIR_IN] = 0;
	e->neigh[SL_DIR_OUT] = 0;
	e->neigh_epoch = w->neighs.epoch;
}

/* Over IPv6, a connection's first packets alone: no answer is kept but in the connection. */
static uint16_t resolve6(struct worker *w, const struct sl_addr *addr, uint8_t *why)
{
	const struct sl_next_hop *hop = sl_route6_find(w->snapshot, addr);
	uint16_t at;

	*why = !hop ? SL_DROP_NO_ROUTE : SL_DROP_BLACKHOLE;
	if (!hop || hop->flags & SL_ROUTE_BLACKHOLE)
		return 0;
	at = towards(w, hop, addr);
	*why = SL_DROP_NEIGHBOUR_TABLE_FULL;
	return at;
}

/* Of either family, as a tunnel's end may be. */
static uint16_t resolve_any(struct worker *w, const struct sl_addr *addr, unsigned int dir,
			    uint8_t *why)
{
	return sl_addr_is_v4(addr) ? resolve(w, sl_addr_v4(addr), dir, why)
				   : resolve6(w, addr, why);
}

uint16_t nexthop6_resolve(struct worker *w, struct sl_conn6 *e, unsigned int dir, uint8_t *why)
{
	forget_old(w, &e->core);
	if (!e->core.neigh[dir])
		e->core.neigh[dir] = resolve_any(w, &e->key[!dir].saddr, dir, why);
	return e->core.neigh[dir];
}

uint16_t nexthop_resolve(struct worker *w, struct sl_conn *e, unsigned int dir, uint8_t *why)
{
	forget_old(w, &e->core);
	if (e->core.neigh[dir])
		return e->core.neigh[dir];
	if (dir == SL_DIR_IN && e->core.flags & SL_CONN_F_DIRECT)
		e->core.neigh[dir] = resolve_any(w, &e->direct.backend, dir, why);
	else
		e->core.neigh[dir] = resolve(w, e->key[!dir].saddr, dir, why);
	return e->core.neigh[dir];
}
