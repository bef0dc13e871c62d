/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slow start: a backend that is new in its pool, or whose weight is no longer 0, gets its share of
 * new connections over so many seconds instead of at once. Each worker notes when it first
 * saw it take connections, in its slot, so that a worker that takes over goes on with that.
 * Backends that begin together share as if there were no slow start.
 *
 * After a switch of snapshots the pools are walked for that, a slice in a turn of the loop, so that
 * no packet waits for more than a slice. A backend that the walk has not met yet is one that
 * begins. The walk is the process's own; who takes over from one that dies walks again.
 *
 * A scheduler that walks or hashes passes by a backend as often as is missing to its whole share;
 * by hash the same clients at a time, so that each client moves once. lc and wlc weigh by it.
 */
#ifndef RAMP_H
#define RAMP_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include <sluice/shm.h>
#include <sluice/snapshot.h>

#include "secondary/worker.h"

#define RAMP_WHOLE 256

/* There is another snapshot: begin to note who begins and who has none now. */
void ramp_switch(struct worker *w);

/* One slice of that. */
void ramp_slice(struct worker *w);

/* What of its share a backend gets now: 1 to RAMP_WHOLE. */
static inline uint32_t ramp_share(const struct worker *w, const struct sl_virtual_server *vs,
				  const struct sl_backend *b)
{
	const struct sl_ramp *r = &w->slot->ramp[SL_REF_ID(b->ref)];
	uint32_t elapsed = w->clock.tick - r->since;

	if (likely(!vs->slow_start))
		return RAMP_WHOLE;
	if (r->ref != b->ref)
		return 1;
	if (elapsed >= vs->slow_start)
		return RAMP_WHOLE;
	return 1 + elapsed * (uint64_t)(RAMP_WHOLE - 1) / vs->slow_start;
}

/* Does a pick of it stand? `draw`: evenly distributed, of the packet or by ramp_draw(). */
static inline bool ramp_admits(const struct worker *w, const struct sl_virtual_server *vs,
			       const struct sl_backend *b, uint32_t draw)
{
	return likely(!vs->slow_start) || draw % RAMP_WHOLE < ramp_share(w, vs, b);
}

/* Knuth's MMIX generator, its upper bits. */
static inline uint32_t ramp_draw(struct worker *w)
{
	w->ramp_draws =
		w->ramp_draws * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(w->ramp_draws >> 40);
}

/* The same where nothing of the packet can say it. */
static inline bool ramp_admits_drawn(struct worker *w, const struct sl_virtual_server *vs,
				     const struct sl_backend *b)
{
	return likely(!vs->slow_start) || ramp_admits(w, vs, b, ramp_draw(w));
}

#endif
