/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys of IPv6 connections. A tuple's key is five words: struct sl_tuple6 as it stands in memory,
 * under CONN6_KEY_MASK. They are bytes 18-57 of a frame without extension headers; where there
 * are some, parse puts the words together. The hash folds three products as conn_hash() does
 * one, the first two of them side by side.
 */
#ifndef CONN6_H
#define CONN6_H

#include "secondary/conn.h"

#define CONN6_WORDS 5

/* Of the first word: protocol and the source's first four bytes; bytes 2 and 4-7. */
#define CONN6_KEY_MASK UINT64_C(0xffffffff00ff0000)
static_assert(offsetof(struct sl_tuple6, proto) == 2 && offsetof(struct sl_tuple6, saddr) == 4,
	      "what the mask leaves");

static inline uint64_t conn6_fold(uint64_t a, uint64_t b)
{
	__uint128_t x = (__uint128_t)a * b;

	return (uint64_t)x ^ (uint64_t)(x >> 64);
}

/* `k`: masked. */
static inline uint64_t conn6_hash(const struct conn_table *t, const uint64_t k[CONN6_WORDS])
{
	uint64_t source = conn6_fold(k[0] ^ t->secret[0], k[1] ^ t->secret[1]);
	uint64_t destination = conn6_fold(k[2] ^ t->secret[2], k[3] ^ t->secret[3]);

	return conn6_fold(source ^ k[4] ^ t->secret[1], destination ^ t->secret[0]);
}

/* By words, each its own load: the compiler keeps them in registers. */
static inline void conn6_words(const struct sl_tuple6 *tuple, uint64_t k[CONN6_WORDS])
{
	const unaligned_uint64_t *word = (const unaligned_uint64_t *)tuple;

	k[0] = word[0] & CONN6_KEY_MASK;
	k[1] = word[1];
	k[2] = word[2];
	k[3] = word[3];
	k[4] = word[4];
}

static inline uint64_t conn6_tuple_hash(const struct conn_table *t, const struct sl_tuple6 *tuple)
{
	uint64_t k[CONN6_WORDS];

	conn6_words(tuple, k);
	return conn6_hash(t, k);
}

/* `k`: masked. */
static inline bool conn6_key_is(const struct sl_tuple6 *tuple, const uint64_t k[CONN6_WORDS])
{
	const __m128i mask = _mm_set_epi64x(-1, (int64_t)CONN6_KEY_MASK);
	const __m128i *one = (const __m128i *)tuple, *other = (const __m128i *)k;
	__m128i first = _mm_xor_si128(_mm_loadu_si128(&one[0]), _mm_loadu_si128(&other[0]));
	__m128i second = _mm_xor_si128(_mm_loadu_si128(&one[1]), _mm_loadu_si128(&other[1]));
	__m128i differs = _mm_or_si128(_mm_and_si128(first, mask), second);
	uint64_t last;

	memcpy(&last, &one[2], sizeof(last));
	return last == k[4] && _mm_testz_si128(differs, differs);
}

/* A tuple of IPv4 as it stands in IPv6's table: FullNAT64's replies. */
static inline struct sl_tuple6 conn6_mapped(const struct sl_tuple *k)
{
	return (struct sl_tuple6){
		.proto = k->proto,
		.saddr = sl_addr_of_v4(k->saddr),
		.daddr = sl_addr_of_v4(k->daddr),
		.sport = k->sport,
		.dport = k->dport,
	};
}

static inline struct sl_tuple conn6_unmapped(const struct sl_tuple6 *k)
{
	return (struct sl_tuple){
		.proto = k->proto,
		.saddr = sl_addr_v4(&k->saddr),
		.daddr = sl_addr_v4(&k->daddr),
		.sport = k->sport,
		.dport = k->dport,
	};
}

/* The entry and direction of an IPv6 key, masked; NULL when there is none. */
struct sl_conn6 *conn6_find(const struct conn_table *t, const uint64_t key[CONN6_WORDS],
			    uint64_t hash, uint8_t *dir);

#endif
