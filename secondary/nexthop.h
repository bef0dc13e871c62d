/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way out. A connection remembers the neighbour of each direction, so only its first
 * packet after a change asks for route and neighbour (nexthop.c).
 */
#ifndef NEXTHOP_H
#define NEXTHOP_H

#include <rte_branch_prediction.h>

#include "secondary/worker.h"

/* Ask route and neighbours again; 0 with *why when there is no way. */
uint16_t nexthop_resolve(struct worker *w, struct sl_conn *e, unsigned int dir, uint8_t *why);

uint16_t nexthop6_resolve(struct worker *w, struct sl_conn6 *e, unsigned int dir, uint8_t *why);

static inline uint16_t nexthop6_of(struct worker *w, struct sl_conn6 *e, unsigned int dir,
				   uint8_t *why)
{
	uint16_t at = e->core.neigh[dir];

	if (unlikely(!at || e->core.neigh_epoch != w->neighs.epoch))
		at = nexthop6_resolve(w, e, dir, why);
	return at;
}

/* The neighbour of the connection's packets of a direction; 0 with *why when there is no way. */
static inline uint16_t nexthop_of(struct worker *w, struct sl_conn *e, unsigned int dir,
				  uint8_t *why)
{
	uint16_t at = e->core.neigh[dir];

	if (unlikely(!at || e->core.neigh_epoch != w->neighs.epoch))
		at = nexthop_resolve(w, e, dir, why);
	return at;
}

/* True: the packet is gone, into a transmit buffer or a queue. False: *why, still the caller's. */
static inline bool nexthop_send(struct worker *w, struct sl_conn *e, unsigned int dir,
				struct rte_mbuf *m, char *frame, uint8_t *why)
{
	uint16_t at = nexthop_of(w, e, dir, why);

	if (unlikely(!at))
		return false;
	if (unlikely(m->pkt_len > w->frame_max[w->neighs.entry[at].port])) {
		*why = SL_DROP_TOO_BIG;
		return false;
	}
	return neigh_send(w, at, m, frame, why);
}

#endif
