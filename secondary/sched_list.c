/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Failover: the first of the list that takes connections. The list is sorted by weight, highest
 * first, among equals by name. A backend that takes them again gets all new ones again.
 */
#include "secondary/sched.h"

#include <rte_common.h>

#include "secondary/claims.h"
#include "secondary/ramp.h"
#include "secondary/worker.h"

static uint32_t list_pick(struct worker *w, const struct sl_virtual_server *vs, uint64_t hash)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	const uint32_t *list = sl_snapshot_at(w->snapshot, vs->cycle);
	uint32_t n = RTE_MIN(vs->cycle.count, (uint32_t)SCHED_LOOKS);

	(void)hash;
	for (uint32_t i = 0; i < n; i++)
		if (likely(claims_usable(w, &b[list[i]]) && ramp_admits_drawn(w, vs, &b[list[i]])))
			return list[i];
	return SCHED_NO_BACKEND;
}

const struct sched_ops sched_list = {
	.pick = list_pick,
};
