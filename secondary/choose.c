/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/choose.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_branch_prediction.h>

#include "secondary/claims.h"
#include "secondary/persist.h"
#include "secondary/sched.h"
#include "secondary/worker.h"

/*
 * Picks of one choice: a backend may fill up between pick and claim, or others may have claimed
 * what made the pick right.
 */
#define TRIES 64

static const struct sched_ops *const schedulers[SL_SCHED_MAX] = {
	[SL_SCHED_RR] = &sched_cycle, [SL_SCHED_WRR] = &sched_cycle,
	[SL_SCHED_MH] = &sched_hash,  [SL_SCHED_CONHASH] = &sched_hash,
	[SL_SCHED_SH] = &sched_hash,  [SL_SCHED_FO] = &sched_list,
	[SL_SCHED_LC] = &sched_lc,    [SL_SCHED_WLC] = &sched_wlc,
};

int choose_prepare(struct worker *w)
{
	w->others = calloc(w->root->max_backends, sizeof(*w->others));
	return w->others ? 0 : -ENOMEM;
}

/* Why no backend was found. */
static __rte_noinline enum sl_drop_reason none_takes(const struct worker *w,
						     const struct sl_virtual_server *vs)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);

	for (uint32_t i = 0; i < vs->backends.count; i++)
		if (b[i].weight)
			return SL_DROP_BACKEND_LIMIT;
	return SL_DROP_NO_BACKEND;
}

/* What the scheduler would take has no room: any that has, looked for from another place each time.
 */
static __rte_noinline uint32_t any_usable(struct worker *w, const struct sl_virtual_server *vs)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	uint32_t n = vs->backends.count, looks = RTE_MIN(n, (uint32_t)SCHED_LOOKS);
	uint32_t at = n ? w->spare_turn % n : 0;

	w->spare_turn += looks;
	while (looks--) {
		if (claims_usable(w, &b[at]))
			return at;
		at = at + 1 < n ? at + 1 : 0;
	}
	return SCHED_NO_BACKEND;
}

/* Pick and claim, until a claim holds. The backend's claim is taken but for SCHED_NO_BACKEND. */
static __rte_noinline uint32_t claim_again(struct worker *w, const struct sl_virtual_server *vs,
					   uint64_t hash)
{
	const struct sl_backend *all = sl_snapshot_at(w->snapshot, vs->backends);
	const struct sched_ops *ops = schedulers[vs->scheduler];

	for (int tries = TRIES; tries--;) {
		uint32_t pick = ops->pick(w, vs, hash);

		if (pick == SCHED_NO_BACKEND)
			pick = any_usable(w, vs);
		if (pick == SCHED_NO_BACKEND)
			return pick;
		if (!claims_backend(w, &all[pick], ops->stands != NULL))
			continue;
		if (!ops->stands || ops->stands(w, vs, pick) || !tries)
			return pick;
		claims_down(&w->slot->backend_claims[SL_REF_ID(all[pick].ref)], all[pick].ref);
	}
	return SCHED_NO_BACKEND;
}

/* Nearly always the first pick is it. */
static inline uint32_t claim_backend(struct worker *w, const struct sl_virtual_server *vs,
				     uint64_t hash)
{
	const struct sl_backend *all = sl_snapshot_at(w->snapshot, vs->backends);
	const struct sched_ops *ops = schedulers[vs->scheduler];
	uint32_t pick;

	if (unlikely(ops->stands))
		return claim_again(w, vs, hash);
	pick = ops->pick(w, vs, hash);
	if (unlikely(pick == SCHED_NO_BACKEND || all[pick].max_connections))
		return claim_again(w, vs, hash);
	claims_up(&w->slot->backend_claims[SL_REF_ID(all[pick].ref)], all[pick].ref, false);
	return pick;
}

uint32_t choose_claim(struct worker *w, const struct sl_virtual_server *vs, uint64_t hash)
{
	return claim_backend(w, vs, hash);
}

enum sl_drop_reason choose_backend(struct worker *w, const struct sl_virtual_server *vs,
				   const struct choose_packet *p, uint32_t *pick)
{
	if (unlikely(!claims_server(w, vs)))
		return SL_DROP_SERVER_LIMIT;
	if (likely(!vs->persistent))
		*pick = claim_backend(w, vs, vs->hash_key ? choose_hash(vs, p) : 0);
	else
		*pick = persist_claim(w, vs, &p->client, choose_hash(vs, p));
	if (likely(*pick != SCHED_NO_BACKEND))
		return CHOOSE_DONE;
	claims_down(&w->slot->server_claims[SL_REF_ID(vs->ref)], vs->ref);
	return none_takes(w, vs);
}
