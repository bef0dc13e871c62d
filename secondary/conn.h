/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connection tables (layout: <sluice/conn.h>): look up, open, end, age, rebuild. One for each
 * family; what is said here holds for both, and conn6.h has what IPv6's keys need.
 *
 * Keys. A tuple's key is two words: bytes 22-29 of the frame (TTL, protocol, checksum,
 * source) under CONN_KEY_MASK, and bytes 30-37 (destination, ports). The same words are
 * the two halves of a struct sl_tuple.
 *
 * Index. The hash folds a 64 x 64 bit product of the keyed words (as wyhash's mum); its top
 * 16 bits are the signature, its low bits the first bucket. A place is looked for in
 * the first bucket, then the second, then by moving one neighbour to its other
 * bucket (one step of cuckoo displacement), so that the table fills to about 0.8
 * before a connection is refused. Each bucket counts those that it had to send away, so that most
 * packets without a connection read one bucket only.
 *
 * Aging. check[] is swept once a second in slices. A packet writes only last_seen in its entry;
 * when the sweep finds a due tick it either moves check[] on or ends the connection.
 */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sluice/conn.h>
#include <sluice/snapshot.h>

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>
#include <rte_vect.h>

struct worker;

/* Protocol and source address: bytes 1 and 4-7, little endian. */
#define CONN_KEY_MASK UINT64_C(0xffffffff0000ff00)

struct conn_table {
	struct sl_conn_table *shared;
	union { /* copies of the shared pointers, for speed */
		struct sl_conn *entry;
		struct sl_conn6 *entry6;
	};
	uint32_t *check;
	struct sl_conn_bucket *bucket;
	uint32_t bucket_mask;
	uint32_t entry_shift; /* log2 of an entry's size, which tells the family */
	uint64_t secret[4];
	uint32_t swept;    /* next entry to sweep */
	uint32_t owed;     /* entries that are to be swept by now */
	uint64_t swept_ns; /* when the last slice was done */
	uint32_t recheck;  /* entries whose check[] may be too late: timeouts became shorter */
};

/* What a new connection is. */
struct conn_new {
	union { /* parts that are no key are 0 */
		struct sl_tuple key[2];
		struct sl_tuple6 key6[2];
		struct {
			struct sl_tuple in;
			struct sl_addr backend;
		} direct; /* SL_CONN_F_DIRECT over IPv4: see sl_conn */
	};
	uint64_t hash[2]; /* of the keys */
	uint32_t virtual_server;
	uint32_t backend;
	union {
		uint16_t port_pool;
		uint16_t tunnel_port;
		uint16_t worker;
	};
	uint8_t state;
	uint8_t flags; /* sl_mode_flags[] */
};

/* Its other side has a port of this worker's, which comes back when it ends. */
static inline bool conn_has_local_port(const struct sl_conn_core *e)
{
	return sl_conn_has_local_port(e) && !(e->flags & SL_CONN_F_MOVED);
}

/* Whose connections they are. */
static inline bool conn_is_ipv6(const struct conn_table *t)
{
	return t->entry_shift != __builtin_ctz(sizeof(struct sl_conn));
}

static inline struct sl_conn_core *conn_core(const struct conn_table *t, uint32_t at)
{
	return (struct sl_conn_core *)((char *)t->entry + ((at + UINT64_C(1)) << t->entry_shift)) -
	       1;
}

/* Number of the entry whose core it is. */
static inline uint32_t conn_number(const struct conn_table *t, const struct sl_conn_core *e)
{
	return (uint32_t)((uint64_t)((const char *)e - (const char *)t->entry) >> t->entry_shift);
}

static inline uint64_t conn_hash(const struct conn_table *t, uint64_t k0, uint64_t k1)
{
	__uint128_t x = (__uint128_t)(k0 ^ t->secret[0]) * (k1 ^ t->secret[1]);

	return (uint64_t)x ^ (uint64_t)(x >> 64);
}

static inline uint16_t conn_signature(uint64_t hash)
{
	return (uint16_t)(hash >> 48);
}

static inline uint32_t conn_bucket(const struct conn_table *t, uint64_t hash)
{
	return (uint32_t)hash & t->bucket_mask;
}

/* The other bucket: an involution that needs only the signature. */
static inline uint32_t conn_other_bucket(const struct conn_table *t, uint32_t b, uint16_t sig)
{
	return (b ^ ((sig | 1u) * 0x5bd1e995u)) & t->bucket_mask;
}

static inline uint64_t conn_tuple_hash(const struct conn_table *t, const struct sl_tuple *k)
{
	uint64_t x[2];

	memcpy(x, k, sizeof(x));
	return conn_hash(t, x[0] & CONN_KEY_MASK, x[1]);
}

/* Places of a bucket with this signature: two bits a place, place i at bits 2i and 2i + 1. */
static inline unsigned int conn_same_signature(const struct sl_conn_bucket *b, uint16_t sig)
{
	__m128i have = _mm_load_si128((const __m128i *)b->sig);

	return (unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi16(have, _mm_set1_epi16((short)sig)));
}

/* Places of a bucket that are free: a bit each. */
static inline unsigned int conn_empty_places(const struct sl_conn_bucket *b)
{
	const __m128i *ref = (const __m128i *)b->ref, none = _mm_setzero_si128();
	__m128i low = _mm_cmpeq_epi32(_mm_load_si128(&ref[0]), none);
	__m128i high = _mm_cmpeq_epi32(_mm_load_si128(&ref[1]), none);
	__m128i words = _mm_packs_epi32(low, high);

	return (unsigned int)_mm_movemask_epi8(_mm_packs_epi16(words, none));
}

static inline void conn_prefetch_bucket(const struct conn_table *t, uint64_t hash)
{
	rte_prefetch0(&t->bucket[conn_bucket(t, hash)]);
}

/* The entry that the k-th next conn_open() takes will be needed soon. */
static inline void conn_prefetch_free(const struct conn_table *t, uint32_t k)
{
	if (likely(k < t->shared->n_free)) {
		uint32_t i = t->shared->free[t->shared->n_free - 1 - k];

		rte_prefetch0(conn_core(t, i));
		rte_prefetch0(&t->check[i]);
	}
}

/* `k` is an entry's, so that it is aligned. */
static inline bool conn_key_is(const struct sl_tuple *k, const uint64_t key[2])
{
	const __m128i mask = _mm_set_epi64x(-1, (int64_t)CONN_KEY_MASK);
	__m128i other = _mm_xor_si128(_mm_loadu_si128((const __m128i *)key),
				      _mm_load_si128((const __m128i *)k));

	return _mm_testz_si128(other, mask);
}

void conn_attach(struct conn_table *t, struct sl_conn_table *shared, uint64_t seed);

/*
 * Entry `at` holds a connection of a former time, idle for so many ticks, of so many in all: it
 * exists again from here on, if its time is not over. The derived parts follow by a rebuild.
 */
bool conn_restore(struct worker *w, struct conn_table *t, uint32_t at, uint32_t idle, uint32_t age);

/* Derive indices, free stacks, port pools and gauges from the entries that exist in both tables. */
void conn_rebuild(struct worker *w);

/* After a death: do that if the dead one was about to change something. Returns whether. */
bool conn_repair(struct worker *w);

/*
 * What changes index, free stack, port pools or gauges stands between these two, so that
 * only a death in between costs the next worker a rebuild (of both tables, which share pools and
 * gauges). They nest; conn_close() sees to it itself.
 */
void conn_intend(struct worker *w);
void conn_agreed(struct worker *w);

/* The entry and direction of an IPv4 key; NULL when there is none. */
struct sl_conn *conn_find(const struct conn_table *t, const uint64_t key[2], uint64_t hash,
			  uint8_t *dir);

/* Open a connection. 0 with its entry's number; -ENOSPC no entry; -EXFULL no index place. */
int conn_open(struct worker *w, struct conn_table *t, const struct conn_new *c, uint32_t *opened);

/* The same for a flow stub, of which key[IN] and its hash are asked for. */
int conn_open_stub(struct worker *w, struct conn_table *t, const struct conn_new *c);

/* End a connection: index, local port, entry. */
void conn_close(struct worker *w, struct conn_table *t, struct sl_conn_core *e);

/* Ticks between two looks at a flow stub's connection (drain.h). */
#define CONN_STUB_LOOK (10 * SL_TICK_HZ)

/* Change to another state: the sweep must not look later than its timeout says. */
void conn_set_state(struct worker *w, struct conn_table *t, struct sl_conn_core *e, uint8_t state);

/* Timeouts became shorter, or backends went: within a second the sweep looks at what is open. */
void conn_look_at_all(struct worker *w);

/* One slice of aging of each table, bounded; behind: the next turn should do another. */
void conn_sweep(struct worker *w);

bool conn_sweep_behind(const struct worker *w);

static inline uint32_t conn_count(const struct conn_table *t)
{
	return t->shared->capacity - t->shared->n_free;
}

#endif
