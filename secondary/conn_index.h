/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index of a connection table: places in buckets (<sluice/conn.h>), and the keys of entries
 * that they lead to. Of conn.c alone. What depends on the family takes it as a constant, so that
 * each has its own instructions.
 */
#ifndef CONN_INDEX_H
#define CONN_INDEX_H

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "secondary/conn.h"
#include "secondary/conn6.h"

#define PLACES SL_CONN_BUCKET_SLOTS

static inline uint32_t make_ref(uint32_t at, unsigned int dir)
{
	return at * 2 + dir + 1;
}

static inline int place_of(const struct sl_conn_bucket *b, uint32_t ref)
{
	for (int i = 0; i < PLACES; i++)
		if (b->ref[i] == ref)
			return i;
	return -1;
}

static inline void set_place(struct sl_conn_bucket *b, unsigned int i, uint16_t sig, uint32_t ref,
			     bool away)
{
	b->sig[i] = sig;
	b->ref[i] = ref;
	b->away = (uint8_t)((b->away & ~(1u << i)) | (unsigned int)away << i);
}

static inline bool bucket_put(struct sl_conn_bucket *b, uint16_t sig, uint32_t ref, bool away)
{
	unsigned int empty = conn_empty_places(b);

	if (unlikely(!empty))
		return false;
	set_place(b, (unsigned int)__builtin_ctz(empty), sig, ref, away);
	return true;
}

/* Make a place in bucket `b` by moving one of its tenants to that one's other bucket. */
static inline bool bucket_displace(struct conn_table *t, uint32_t b, uint16_t sig, uint32_t ref,
				   bool away)
{
	struct sl_conn_bucket *here = &t->bucket[b];

	for (unsigned int i = 0; i < PLACES; i++) {
		struct sl_conn_bucket *other = &t->bucket[conn_other_bucket(t, b, here->sig[i])];
		bool was_away = here->away >> i & 1;

		if (!bucket_put(other, here->sig[i], here->ref[i], !was_away))
			continue;
		if (was_away)
			other->strays--; /* it is where it belongs now */
		else
			here->strays++;
		set_place(here, i, sig, ref, away);
		return true;
	}
	return false;
}

/* The first bucket has no place. */
static __rte_noinline __rte_unused bool index_put_elsewhere(struct conn_table *t, uint64_t hash,
							    uint32_t ref)
{
	uint16_t sig = conn_signature(hash);
	uint32_t b = conn_bucket(t, hash);
	uint32_t other = conn_other_bucket(t, b, sig);

	if (bucket_put(&t->bucket[other], sig, ref, true)) {
		t->bucket[b].strays++;
		return true;
	}
	if (bucket_displace(t, b, sig, ref, false))
		return true;
	if (!bucket_displace(t, other, sig, ref, true))
		return false;
	t->bucket[b].strays++;
	return true;
}

static inline bool index_put(struct conn_table *t, uint64_t hash, uint32_t ref)
{
	return likely(bucket_put(&t->bucket[conn_bucket(t, hash)], conn_signature(hash), ref,
				 false)) ||
	       index_put_elsewhere(t, hash, ref);
}

static inline void index_remove(struct conn_table *t, uint64_t hash, uint32_t ref)
{
	uint32_t b = conn_bucket(t, hash);
	struct sl_conn_bucket *first = &t->bucket[b];
	struct sl_conn_bucket *second;
	int i = place_of(first, ref);

	if (likely(i >= 0)) {
		first->ref[i] = 0;
		return;
	}
	second = &t->bucket[conn_other_bucket(t, b, conn_signature(hash))];
	i = place_of(second, ref);
	if (i >= 0) {
		second->ref[i] = 0;
		first->strays--;
	}
}

static __rte_always_inline uint64_t entry_hash(const struct conn_table *t, uint32_t at,
					       unsigned int dir, bool ipv6)
{
	return ipv6 ? conn6_tuple_hash(t, &t->entry6[at].key[dir])
		    : conn_tuple_hash(t, &t->entry[at].key[dir]);
}

static __rte_always_inline bool key_is(const struct conn_table *t, uint32_t ref,
				       const uint64_t *key, bool ipv6)
{
	uint32_t at = (ref - 1) / 2, dir = (ref - 1) & 1;

	return ipv6 ? conn6_key_is(&t->entry6[at].key[dir], key)
		    : conn_key_is(&t->entry[at].key[dir], key);
}

static __rte_always_inline uint32_t bucket_find(const struct conn_table *t, uint32_t b,
						const uint64_t *key, uint16_t sig, bool ipv6)
{
	const struct sl_conn_bucket *bucket = &t->bucket[b];

	for (unsigned int mask = conn_same_signature(bucket, sig); mask; mask &= mask - 1) {
		/* two bits a place: the second finds the same again */
		uint32_t ref = bucket->ref[__builtin_ctz(mask) / 2];

		if (ref && key_is(t, ref, key, ipv6))
			return ref;
	}
	return 0;
}

static __rte_always_inline uint32_t find_ref(const struct conn_table *t, const uint64_t *key,
					     uint64_t hash, bool ipv6)
{
	uint16_t sig = conn_signature(hash);
	uint32_t b = conn_bucket(t, hash);
	uint32_t ref = bucket_find(t, b, key, sig, ipv6);

	if (!ref && t->bucket[b].strays)
		ref = bucket_find(t, conn_other_bucket(t, b, sig), key, sig, ipv6);
	return ref;
}

#endif
