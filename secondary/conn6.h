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

static inline void conn6_words(const struct sl_tuple6 *tuple, uint64_t k[CONN6_WORDS])
{
	memcpy(k, tuple, sizeof(*tuple));
	k[0] &= CONN6_KEY_MASK;
}

static inline uint64_t conn6_tuple_hash(const struct conn_table *t, const struct sl_tuple6 *tuple)
{
	uint64_t k[CONN6_WORDS];

	conn6_words(tuple, k);
	return conn6_hash(t, k);
}

static inline bool conn6_key_is(const struct sl_tuple6 *tuple, const uint64_t k[CONN6_WORDS])
{
	uint64_t x[CONN6_WORDS];

	conn6_words(tuple, x);
	return ((x[0] ^ k[0]) | (x[1] ^ k[1]) | (x[2] ^ k[2]) | (x[3] ^ k[3]) | (x[4] ^ k[4])) == 0;
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
