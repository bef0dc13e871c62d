/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: connection lookup over IPv6, in the same passes as over IPv4 (lookup.c): buckets were
 * prefetched by parse; compare signatures and prefetch both lines of the candidate; compare keys.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "secondary/conn6.h"
#include "secondary/worker.h"

/* Stands in where there is no candidate: no packet has protocol 0. */
static struct sl_conn6 nobody;

static void find_candidates(const struct conn_table *t, struct burst *b)
{
	size_t n = b->flow6.n;

	for (size_t k = 0; k < n; k++) {
		unsigned int at = b->flow6.at[k];
		uint64_t hash = b->hash[at];
		const struct sl_conn_bucket *first = &t->bucket[conn_bucket(t, hash)];
		unsigned int mask = conn_same_signature(first, conn_signature(hash));
		uint32_t ref = likely(mask) ? first->ref[(unsigned int)__builtin_ctz(mask) / 2] : 0;

		b->conn6[at] = likely(ref) ? &t->entry6[(ref - 1) / 2] : &nobody;
		b->dir[at] = ref ? (ref - 1) & 1 : 0;
		rte_prefetch0(b->conn6[at]);
		rte_prefetch0(&b->conn6[at]->core);
	}
}

/* Another place of the bucket, the other bucket, or nowhere. */
static __rte_noinline bool find_anywhere(const struct conn_table *t, struct burst *b,
					 unsigned int at)
{
	b->conn6[at] = conn6_find(t, b->key6[at], b->hash[at], &b->dir[at]);
	return b->conn6[at] != NULL;
}

void stage_lookup6(struct worker *w, struct burst *b)
{
	const struct conn_table *t = &w->conns6;
	size_t n = b->flow6.n, hits = 0;

	b->miss6.n = 0;
	find_candidates(t, b);
	for (size_t k = 0; k < n; k++) {
		unsigned int at = b->flow6.at[k];

		if (likely(conn6_key_is(&b->conn6[at]->key[b->dir[at]], b->key6[at])) ||
		    find_anywhere(t, b, at))
			b->hit6.at[hits++] = (uint8_t)at;
		else
			list_add(&b->miss6, at);
	}
	b->hit6.n = (uint16_t)hits;
}
