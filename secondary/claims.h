/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of a backend and of a virtual server, counted over all workers without a word that
 * two write: each worker has its own count of each (struct sl_worker_slot, *_claims), and reads
 * everybody's.
 *
 * A limit is exact. Whoever wants one more counts itself up first, then reads all counts; if
 * they are over the limit it counts itself down and refuses (Dekker 1965: each store comes before
 * the loads, sequentially consistent, so of two that race for the last place at least one sees the
 * other; both may, and then neither gets it this time). So the open connections are never more than
 * the limit; a count includes those that are only being tried.
 *
 * The overload mark: a backend that reached its limit gets nothing until it is under its low mark.
 * Any worker may find the one or the other, so the mark is a pair of numbers a worker: the episode
 * it began last, the episode it ended last. The backend is marked while the greatest that began is
 * greater than the greatest that ended.
 *
 * If a worker dies: its counts are derived from its connections (conn_rebuild); marks are
 * whatever was stored last, and hold or end as for the living.
 */
#ifndef CLAIMS_H
#define CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include <sluice/shm.h>
#include <sluice/snapshot.h>

#include "secondary/worker.h"

/* One worker's count of what `ref` names. */
static inline uint32_t claims_read(const uint64_t *word, uint32_t ref)
{
	return sl_claims_of(__atomic_load_n(word, __ATOMIC_SEQ_CST), ref);
}

/* Up by one, for all to see before anything that this worker reads afterwards. */
static inline void claims_up(uint64_t *word, uint32_t ref, bool raced)
{
	uint64_t next = (uint64_t)ref << 32 | (sl_claims_of(*word, ref) + 1);

	__atomic_store_n(word, next, raced ? __ATOMIC_SEQ_CST : __ATOMIC_RELAXED);
}

/* A count of a former bearer of the id is nobody's. */
static inline void claims_down(uint64_t *word, uint32_t ref)
{
	if (sl_claims_of(*word, ref))
		__atomic_store_n(word, *word - 1, __ATOMIC_RELAXED);
}

static inline void claims_set(uint64_t *word, uint32_t ref, uint32_t count)
{
	__atomic_store_n(word, (uint64_t)ref << 32 | count, __ATOMIC_RELAXED);
}

static inline void claims_release(struct worker *w, uint32_t virtual_server, uint32_t backend)
{
	claims_down(&w->slot->server_claims[SL_REF_ID(virtual_server)], virtual_server);
	claims_down(&w->slot->backend_claims[SL_REF_ID(backend)], backend);
}

bool claims_server_limited(struct worker *w, const struct sl_virtual_server *vs);

/* One connection more for a virtual server; false, and nothing changed: it is at its limit. */
static inline bool claims_server(struct worker *w, const struct sl_virtual_server *vs)
{
	if (unlikely(vs->max_connections))
		return claims_server_limited(w, vs);
	claims_up(&w->slot->server_claims[SL_REF_ID(vs->ref)], vs->ref, false);
	return true;
}

/* The same for a backend; `raced`: the caller looks at others' counts afterwards. */
bool claims_backend(struct worker *w, const struct sl_backend *b, bool raced);

/* Counts of all workers but this one. */
uint32_t claims_of_others(const struct worker *w, const struct sl_backend *b);

/* Does it carry the mark? Takes it off when it is under its low mark. */
bool claims_overloaded(struct worker *w, const struct sl_backend *b);

/* May a new connection go there, as far as this can be said without claiming one? */
static inline bool claims_usable(struct worker *w, const struct sl_backend *b)
{
	return b->weight && (likely(!b->max_connections) || !claims_overloaded(w, b));
}

#endif
