/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: connection lookup, in passes so that each level of memory is asked for before it is
 * needed: buckets were prefetched by parse; compare signatures and prefetch the candidate
 * entries; compare keys.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "secondary/worker.h"

/* Stand in where there is no candidate: no packet has protocol 0. */
static struct sl_conn nobody[2];
#define NOWHERE (&nobody[0]) /* the flow has no connection */
#define ELSEWHERE                                                                      \
	(&nobody[1]) /* its connection may be at another place, or in the other bucket \
		      */

/* The signature is in no place of the first bucket. */
static __rte_noinline struct sl_conn *other_candidate(const struct conn_table *t, uint64_t hash)
{
	uint32_t first = conn_bucket(t, hash);

	if (likely(!t->bucket[first].strays))
		return NOWHERE;
	rte_prefetch0(&t->bucket[conn_other_bucket(t, first, conn_signature(hash))]);
	return ELSEWHERE;
}

/* Entries that are probably the flows'. */
static void find_candidates(const struct conn_table *t, struct burst *b)
{
	unsigned int n = b->flow.n;

	for (unsigned int k = 0; k < n; k++) {
		unsigned int at = b->flow.at[k];
		uint64_t hash = b->hash[at];
		const struct sl_conn_bucket *first = &t->bucket[conn_bucket(t, hash)];
		unsigned int mask = conn_same_signature(first, conn_signature(hash));
		uint32_t ref = likely(mask) ? first->ref[(unsigned int)__builtin_ctz(mask) / 2] : 0;

		if (likely(ref)) {
			b->conn[at] = &t->entry[(ref - 1) / 2];
			b->dir[at] = (ref - 1) & 1;
			rte_prefetch0(b->conn[at]);
		} else {
			b->conn[at] = mask ? ELSEWHERE : other_candidate(t, b->hash[at]);
			b->dir[at] = 0;
		}
	}
}

/* Not where it is nearly always: another place of the bucket, the other bucket, or nowhere. */
static __rte_noinline bool find_anywhere(const struct conn_table *t, struct burst *b,
					 unsigned int at)
{
	b->conn[at] =
		b->conn[at] == NOWHERE ? NULL : conn_find(t, b->key[at], b->hash[at], &b->dir[at]);
	return b->conn[at] != NULL;
}

static inline bool matches(const struct burst *b, unsigned int at)
{
	return conn_key_is(&b->conn[at]->key[b->dir[at]], b->key[at]);
}

void stage_lookup(struct worker *w, struct burst *b)
{
	const struct conn_table *t = &w->conns;
	size_t n = b->flow.n, hits = 0;

	b->miss.n = 0;
	find_candidates(t, b);
	for (size_t k = 0; k < n; k++) {
		unsigned int at = b->flow.at[k];

		if (likely(matches(b, at)) || find_anywhere(t, b, at))
			b->hit.at[hits++] = (uint8_t)at;
		else
			list_add(&b->miss, at);
	}
	b->hit.n = (uint16_t)hits;
}
