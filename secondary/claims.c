/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/claims.h"

#include <rte_common.h>

static uint32_t total(const struct worker *w, const struct sl_backend *b)
{
	return claims_read(&w->slot->backend_claims[SL_REF_ID(b->ref)], b->ref) +
	       claims_of_others(w, b);
}

uint32_t claims_of_others(const struct worker *w, const struct sl_backend *b)
{
	uint32_t id = SL_REF_ID(b->ref), sum = 0;

	for (unsigned int i = 0; i < w->n_workers; i++)
		if (i != w->id)
			sum += claims_read(&w->root->worker[i]->backend_claims[id], b->ref);
	return sum;
}

bool claims_server_limited(struct worker *w, const struct sl_virtual_server *vs)
{
	uint32_t id = SL_REF_ID(vs->ref), sum = 0;
	uint64_t *own = &w->slot->server_claims[id];

	claims_up(own, vs->ref, true);
	for (unsigned int i = 0; i < w->n_workers; i++)
		sum += claims_read(&w->root->worker[i]->server_claims[id], vs->ref);
	if (sum <= vs->max_connections)
		return true;
	claims_down(own, vs->ref);
	return false;
}

/* ---- the mark ---- */

static uint32_t latest(const struct worker *w, uint32_t id, struct sl_overload *all)
{
	*all = (struct sl_overload){0};
	for (unsigned int i = 0; i < w->n_workers; i++) {
		const struct sl_overload *o = &w->root->worker[i]->overload[id];

		all->began = RTE_MAX(all->began, __atomic_load_n(&o->began, __ATOMIC_RELAXED));
		all->ended = RTE_MAX(all->ended, __atomic_load_n(&o->ended, __ATOMIC_RELAXED));
	}
	return RTE_MAX(all->began, all->ended);
}

static void mark(struct worker *w, uint32_t id)
{
	struct sl_overload all;
	uint32_t last = latest(w, id, &all);

	if (all.began <= all.ended)
		__atomic_store_n(&w->slot->overload[id].began, last + 1, __ATOMIC_RELAXED);
}

bool claims_overloaded(struct worker *w, const struct sl_backend *b)
{
	uint32_t id = SL_REF_ID(b->ref);
	struct sl_overload all;

	latest(w, id, &all);
	if (all.began <= all.ended)
		return false;
	if (total(w, b) >= sl_backend_low_mark(b))
		return true;
	__atomic_store_n(&w->slot->overload[id].ended, all.began, __ATOMIC_RELAXED);
	return false;
}

bool claims_backend(struct worker *w, const struct sl_backend *b, bool raced)
{
	uint32_t id = SL_REF_ID(b->ref), sum;
	uint64_t *own = &w->slot->backend_claims[id];

	claims_up(own, b->ref, raced || b->max_connections);
	if (likely(!b->max_connections))
		return true;
	sum = total(w, b);
	if (sum >= b->max_connections)
		mark(w, id);
	if (sum <= b->max_connections)
		return true;
	claims_down(own, b->ref);
	return false;
}
