/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Schedulers by hash: mh, conhash and sh differ in the table that the compiler of the snapshot has
 * laid out (ctrl/maglev.h, ring.h, cycle.h), so a pick is one load, and the same in every
 * worker. Where the backend takes no connections the key is hashed again, so that its
 * clients spread over all others, each always to the same one.
 */
#include "secondary/sched.h"

#include <rte_common.h>

#include "secondary/claims.h"
#include "secondary/ramp.h"
#include "secondary/worker.h"

static uint32_t hash_pick(struct worker *w, const struct sl_virtual_server *vs, uint64_t hash)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	const uint32_t *table = sl_snapshot_at(w->snapshot, vs->cycle);

	if (unlikely(!vs->cycle.count))
		return SCHED_NO_BACKEND;
	for (uint32_t looks = SCHED_LOOKS; looks--;) {
		uint32_t pick = table[(hash >> 32) * vs->cycle.count >> 32];

		if (likely(claims_usable(w, &b[pick]) &&
			   ramp_admits(w, vs, &b[pick], (uint32_t)hash)))
			return pick;
		hash = (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
		hash ^= hash >> 32;
	}
	return SCHED_NO_BACKEND;
}

const struct sched_ops sched_hash = {
	.pick = hash_pick,
};
