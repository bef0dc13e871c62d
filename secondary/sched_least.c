/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Least connections over all workers: lc plainly, wlc in proportion to the weights.
 *
 * lc takes a backend with the fewest. wlc takes, of those that have less than their share of
 * all connections with the new one, the one which will have its share first: the quota method
 * (Balinski and Young 1975; as a scheduling problem Tijdeman 1980), which keeps each backend within
 * one connection of its share for any weights. Taking the least (connections + 1) / weight of all
 * does not: with weights 50 and fifty times 1 the first 49 connections go to the one.
 *
 * What others have. A worker reads its own counts, and of the others' a copy of its own
 * (worker.others), because their words move between CPUs. A pick renews the copy for
 * RENEW backends in turn, so small pools are always read whole. The one that was taken is
 * claimed, and only then read truly; if it has got more than the copy said, the neighbourhood is
 * renewed and the pick made again. Copies that are too low are found that way as soon
 * as they matter; those that are too high, because others ended connections, in turn.
 * Each worker begins at another place, so that those who pick at the same time rarely
 * want the same of equals.
 *
 * Cost: a pass over the pool's backends (two for wlc) in memory that only this worker writes, and
 * RENEW / 8 lines of each other worker, whatever the pool's size.
 */
#include "secondary/sched.h"

#include <rte_common.h>

#include "secondary/claims.h"
#include "secondary/ramp.h"
#include "secondary/worker.h"

#define RENEW 16

static uint32_t connections(const struct worker *w, const struct sl_backend *b)
{
	uint32_t id = SL_REF_ID(b->ref);

	return sl_claims_of(w->slot->backend_claims[id], b->ref) + w->others[id];
}

static void renew(struct worker *w, const struct sl_virtual_server *vs, uint32_t from)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	uint32_t n = RTE_MIN(vs->backends.count, (uint32_t)RENEW);

	for (uint32_t i = from; n--; i++) {
		if (i >= vs->backends.count)
			i = 0;
		w->others[SL_REF_ID(b[i].ref)] = claims_of_others(w, &b[i]);
	}
}

/* The next piece of the copy. */
static void renew_in_turn(struct worker *w, const struct sl_virtual_server *vs)
{
	uint32_t *cursor = &w->slot->cursor[SL_REF_ID(vs->ref)];
	uint32_t from = *cursor < vs->backends.count ? *cursor : 0;

	if (w->n_workers == 1)
		return;
	renew(w, vs, from);
	*cursor = from + RENEW;
}

/* Where this worker begins to look. */
static uint32_t beginning(const struct worker *w, const struct sl_virtual_server *vs)
{
	return (uint32_t)((uint64_t)vs->backends.count * w->id / w->n_workers);
}

static uint32_t lc_pick(struct worker *w, const struct sl_virtual_server *vs, uint64_t hash)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	uint32_t n = vs->backends.count, pick = SCHED_NO_BACKEND, at = beginning(w, vs);
	uint64_t least = 0, share = 1; /* of the pick, with the new one; of slow start */

	(void)hash;
	renew_in_turn(w, vs);
	for (uint32_t k = 0; k < n; k++, at++) {
		uint64_t have, own;

		if (at == n)
			at = 0;
		have = connections(w, &b[at]) + UINT64_C(1);
		own = ramp_share(w, vs, &b[at]);
		if (pick != SCHED_NO_BACKEND && have * share >= least * own)
			continue;
		if (!claims_usable(w, &b[at]))
			continue;
		least = have;
		share = own;
		pick = at;
	}
	return pick;
}

/* Slow start included. */
static uint64_t weight_of(const struct worker *w, const struct sl_virtual_server *vs,
			  const struct sl_backend *b)
{
	return (uint64_t)b->weight * ramp_share(w, vs, b);
}

/* Of the backends that take connections, and of what they have. */
struct whole {
	uint64_t weight;
	uint64_t connections;
};

static struct whole whole_of(struct worker *w, const struct sl_virtual_server *vs)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	struct whole all = {0, 0};

	for (uint32_t i = 0; i < vs->backends.count; i++)
		if (claims_usable(w, &b[i])) {
			all.weight += weight_of(w, vs, &b[i]);
			all.connections += connections(w, &b[i]);
		}
	return all;
}

static uint32_t wlc_pick(struct worker *w, const struct sl_virtual_server *vs, uint64_t hash)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	uint32_t n = vs->backends.count, pick = SCHED_NO_BACKEND, at = beginning(w, vs);
	uint64_t least = 0, weight = 1; /* of the pick, with the new one */
	struct whole all;

	(void)hash;
	renew_in_turn(w, vs);
	all = whole_of(w, vs);
	for (uint32_t k = 0; k < n; k++, at++) {
		uint64_t have, own;

		if (at == n)
			at = 0;
		have = connections(w, &b[at]);
		own = weight_of(w, vs, &b[at]);
		/* (connections + 1) / weight against the pick's */
		if (pick != SCHED_NO_BACKEND && (have + 1) * weight >= least * own)
			continue;
		if (!claims_usable(w, &b[at]) ||
		    have * (unsigned __int128)all.weight >=
			    (all.connections + 1) * (unsigned __int128)own)
			continue;
		least = have + 1;
		weight = own;
		pick = at;
	}
	return pick;
}

static bool least_stands(struct worker *w, const struct sl_virtual_server *vs, uint32_t pick)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);

	if (w->n_workers == 1 || claims_of_others(w, &b[pick]) <= w->others[SL_REF_ID(b[pick].ref)])
		return true;
	renew(w, vs, pick / RENEW * RENEW);
	return false;
}

const struct sched_ops sched_lc = {
	.pick = lc_pick,
	.stands = least_stands,
};

const struct sched_ops sched_wlc = {
	.pick = wlc_pick,
	.stands = least_stands,
};
