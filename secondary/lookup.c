/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: connection lookup, in three passes so that each level of memory is asked for before
 * it is needed: buckets were prefetched by parse; compare signatures and prefetch
 * the candidate entries; compare keys.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>
#include <rte_vect.h>

#include "secondary/worker.h"

/* The reference at the first place with this signature, 0 when there is none. */
static uint32_t candidate(const struct sl_conn_bucket *b, uint16_t sig)
{
	__m128i have = _mm_load_si128((const __m128i *)b->sig);
	__m128i same = _mm_cmpeq_epi16(have, _mm_set1_epi16((short)sig));
	unsigned int mask = (unsigned int)_mm_movemask_epi8(same);

	return mask ? b->ref[__builtin_ctz(mask) / 2] : 0;
}

static void find_candidates(struct worker *w, struct burst *b, uint32_t *ref)
{
	const struct conn_table *t = &w->conns;

	for (unsigned int k = 0; k < b->flow.n; k++) {
		uint64_t hash = b->hash[b->flow.at[k]];

		ref[k] = candidate(&t->bucket[conn_bucket(t, hash)], conn_signature(hash));
		if (likely(ref[k]))
			rte_prefetch0(&t->entry[(ref[k] - 1) / 2]);
	}
}

/* Not where it is nearly always: another place of the bucket, or the other bucket. */
static void find_anywhere(struct worker *w, struct burst *b, unsigned int at)
{
	b->conn[at] = conn_find(&w->conns, b->key[at], b->hash[at], &b->dir[at]);
	list_add(b->conn[at] == CONN_NONE ? &b->miss : &b->hit, at);
}

void stage_lookup(struct worker *w, struct burst *b)
{
	uint32_t ref[SL_BURST];

	b->hit.n = 0;
	b->miss.n = 0;
	find_candidates(w, b, ref);
	for (unsigned int k = 0; k < b->flow.n; k++) {
		unsigned int at = b->flow.at[k];
		uint32_t i = (ref[k] - 1) / 2, dir = (ref[k] - 1) & 1;

		if (unlikely(!ref[k] || !conn_key_is(&w->conns.entry[i].key[dir], b->key[at][0],
						     b->key[at][1]))) {
			find_anywhere(w, b, at);
			continue;
		}
		b->conn[at] = i;
		b->dir[at] = (uint8_t)dir;
		list_add(&b->hit, at);
	}
}
