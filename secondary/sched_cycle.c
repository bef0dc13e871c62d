/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Round robin, plain and weighted: the compiler of the snapshot has laid the cycle out (rr: each
 * backend once; wrr: as often as its weight says, evenly spread), so a pick is one
 * step. The position is the worker's own and survives it; each worker walks its
 * own cycle, so shares are exact per worker.
 */
#include "secondary/sched.h"

#include "secondary/worker.h"

static uint32_t cycle_pick(struct worker *w, const struct sl_virtual_server *vs)
{
	const uint32_t *cycle = sl_snapshot_at(w->snapshot, vs->cycle);
	uint32_t *cursor = &w->slot->cursor[SL_REF_ID(vs->ref)];
	uint32_t at = *cursor;

	if (!vs->cycle.count)
		return SCHED_NO_BACKEND;
	if (at >= vs->cycle.count) /* the cycle's end, or a shorter cycle than before */
		at = 0;
	*cursor = at + 1;
	return cycle[at];
}

const struct sched_ops sched_cycle = {
	.pick = cycle_pick,
};
