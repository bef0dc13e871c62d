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

/* The reference at the first place with this signature, 0 when there is none. */
static inline uint32_t candidate(const struct sl_conn_bucket *b, uint16_t sig)
{
	unsigned int mask = conn_same_signature(b, sig);

	return likely(mask) ? b->ref[__builtin_ctz(mask) / 2] : 0;
}

/* Stands in where there is no candidate: no packet has protocol 0. */
static struct sl_conn nobody;

/* Entries that are probably the flows'. */
static void find_candidates(const struct conn_table *t, struct burst *b)
{
	unsigned int n = b->flow.n;

	for (unsigned int k = 0; k < n; k++) {
		unsigned int at = b->flow.at[k];
		uint64_t hash = b->hash[at];
		uint32_t ref = candidate(&t->bucket[conn_bucket(t, hash)], conn_signature(hash));
		struct sl_conn *e = likely(ref) ? &t->entry[(ref - 1) / 2] : &nobody;

		rte_prefetch0(e);
		if (unlikely(!ref))
			rte_prefetch0(&t->bucket[conn_other_bucket(t, conn_bucket(t, hash),
								   conn_signature(hash))]);
		b->conn[at] = e;
		b->dir[at] = (ref - 1) & 1;
	}
}

/* Not where it is nearly always: another place of the bucket, or the other bucket. */
static __rte_noinline bool find_anywhere(const struct conn_table *t, struct burst *b,
					 unsigned int at)
{
	b->conn[at] = conn_find(t, b->key[at], b->hash[at], &b->dir[at]);
	return b->conn[at] != NULL;
}

static inline bool matches(const struct burst *b, unsigned int at)
{
	return conn_key_is(&b->conn[at]->key[b->dir[at]], b->key[at][0], b->key[at][1]);
}

void stage_lookup(struct worker *w, struct burst *b)
{
	const struct conn_table *t = &w->conns;
	unsigned int n = b->flow.n, hits = 0, misses = 0;

	find_candidates(t, b);
	for (unsigned int k = 0; k < n; k++) {
		unsigned int at = b->flow.at[k];

		b->hit.at[hits] = (uint8_t)at;
		b->miss.at[misses] = (uint8_t)at;
		if (likely(matches(b, at)) || find_anywhere(t, b, at))
			hits++;
		else
			misses++;
	}
	b->hit.n = (uint16_t)hits;
	b->miss.n = (uint16_t)misses;
}
