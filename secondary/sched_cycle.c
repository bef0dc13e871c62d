/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Round robin, plain and weighted: the compiler of the snapshot has laid the cycle out (rr: each
 * backend once; wrr: as often as its weight says, evenly spread), so a pick is one
 * step. The position is the worker's own and survives it; each worker walks its
 * own cycle, so shares are exact per worker.
 */
#include "secondary/sched.h"

#include <rte_common.h>

#include "secondary/claims.h"
#include "secondary/ramp.h"
#include "secondary/worker.h"

static uint32_t cycle_pick(struct worker *w, const struct sl_virtual_server *vs, uint64_t hash)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	const uint32_t *cycle = sl_snapshot_at(w->snapshot, vs->cycle);
	uint32_t *cursor = &w->slot->cursor[SL_REF_ID(vs->ref)];
	uint32_t looks = RTE_MIN(vs->cycle.count, (uint32_t)SCHED_LOOKS);

	(void)hash;
	while (looks--) {
		uint32_t at = *cursor;

		if (at >= vs->cycle.count) /* its end, or a shorter cycle than before */
			at = 0;
		*cursor = at + 1;
		if (likely(claims_usable(w, &b[cycle[at]]) &&
			   ramp_admits_drawn(w, vs, &b[cycle[at]])))
			return cycle[at];
	}
	return SCHED_NO_BACKEND;
}

const struct sched_ops sched_cycle = {
	.pick = cycle_pick,
};
