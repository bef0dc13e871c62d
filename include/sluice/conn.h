/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection table of one worker, in its slot's shared region; there is one for IPv4 and one
 * for IPv6, which differ in the size of an entry alone.
 *
 *   entry[]   64 bytes a connection, 128 with IPv6. The truth.
 *   check[]   4 bytes a connection: the tick at which the sweep looks at it
 *             next; 0 means the entry is free. Writing a non-zero tick *last*
 *             is what makes a connection exist, writing 0 *first* is what ends it.
 *   bucket[]  index by tuple, both directions of every connection. Derived:
 *             rebuilt from entry[] and check[] when a worker died.
 *   free[]    stack of free entry numbers. Derived, rebuilt likewise.
 *
 * Writer: the worker holding the lease. Readers: ctrl, which lists connections
 * by copying an entry and comparing `seq` before and after (see sl_conn_read).
 *
 * If the writer dies: a half-written entry has check 0 and so does not exist; a
 * half-removed one likewise. The replacement rebuilds index, stack, port pools and gauges, unless
 * the slot's conn_intent says that they agree with the entries.
 */
#ifndef SL_CONN_H
#define SL_CONN_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/addr.h>

/* Time base of connections: ticks of 100 ms of the monotonic clock, never 0. */
#define SL_TICK_HZ 10

enum sl_conn_dir {
	SL_DIR_IN,  /* client to backend */
	SL_DIR_OUT, /* backend to client */
};

/*
 * X(symbol, name, default timeout in seconds). TCP names follow RFC 9293 section
 * 3.3.2 as seen by a box in the middle, UDP has one state.
 */
#define SL_CONN_STATES(X)                                                           \
	X(NONE, "none", 1)                 /* a stub; it has the longest timeout */ \
	X(SYN_SENT, "syn_sent", 60)        /* client's SYN seen */                  \
	X(SYN_RECV, "syn_recv", 60)        /* backend's SYN+ACK seen */             \
	X(ESTABLISHED, "established", 900) /* client's ACK seen */                  \
	X(FIN_WAIT, "fin_wait", 120)       /* client's FIN seen first */            \
	X(CLOSE_WAIT, "close_wait", 120)   /* backend's FIN seen first */           \
	X(LAST_ACK, "last_ack", 30)        /* FIN seen from both, last ACK owed */  \
	X(TIME_WAIT, "time_wait", 60)      /* both FINs acknowledged */             \
	X(CLOSE, "close", 10)              /* RST seen */                           \
	X(UDP, "udp", 60)                                                           \
	X(ICMP, "icmp", 30) /* echo: SNAT alone */

enum sl_conn_state {
#define X(symbol, name, timeout) SL_CONN_##symbol,
	SL_CONN_STATES(X)
#undef X
		SL_CONN_STATE_MAX
};

/* Indexed by enum sl_conn_state. */
static const char *const sl_conn_state_names[SL_CONN_STATE_MAX] __attribute__((unused)) = {
#define X(symbol, name, timeout) [SL_CONN_##symbol] = name,
	SL_CONN_STATES(X)
#undef X
};

/*
 * A packet's tuple as it *arrives*, laid out as bytes 8-23 of an IPv4 header
 * followed by the ports: with no IP options one 16-byte load of packet bytes
 * 22-37 is compared with it under a mask that leaves proto, addresses and ports.
 * All in network byte order.
 */
struct sl_tuple {
	uint8_t meta;      /* not part of the key (the packet's TTL) */
	uint8_t proto;     /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP */
	uint16_t l3_delta; /* not part of the key (the packet's checksum): see sl_conn */
	uint32_t saddr;
	uint32_t daddr;
	uint16_t sport;
	uint16_t dport;
};
static_assert(sizeof(struct sl_tuple) == 16, "one 16-byte compare");

/*
 * The same for IPv6: bytes 18-57 of a frame without extension headers, so that the two words before
 * the source are the payload's length, the next header and the hop limit. `proto` is the
 * transport's, behind whatever extension headers there were; echo has one number over both
 * families, IPPROTO_ICMP.
 */
struct sl_tuple6 {
	uint16_t length; /* not part of the key */
	uint8_t proto;
	uint8_t hops; /* not part of the key */
	struct sl_addr saddr;
	struct sl_addr daddr;
	uint16_t sport;
	uint16_t dport;
};
static_assert(sizeof(struct sl_tuple6) == 40, "five 8-byte compares");

/*
 * sl_conn_core.flags: the forwarding mode (enum sl_mode, snapshot.h) and what follows from it for a
 * packet, so that the way out is data.
 */
#define SL_CONN_MODE_MASK 0x0f
#define SL_CONN_F_DIRECT  0x10 /* packets leave as they came; the backend answers past us */
#define SL_CONN_F_CLAMP   0x20 /* the virtual server has a greatest MSS */
#define SL_CONN_F_MOVED   0x40 /* its local port is another worker's, who has a stub for it */
#define SL_CONN_F_STUB    0x80 /* no connection, but that stub: secondary/stub.h */
#define SL_CONN_FLOW_STUB (SL_CONN_F_STUB | SL_CONN_F_DIRECT) /* likewise, of a drained worker */
#define SL_CONN_F_ECHO    0x20 /* F_CLAMP's bit where there is no MSS: of ICMP, always */

/*
 * What a connection is but for its tuples; the last 32 bytes of an entry of either family.
 *
 * Checksum differences (RFC 1624, equation 3): new = ~(~old + delta), in ones' complement.
 * l4_delta[d] is that of the TCP or UDP checksum of a packet of direction d.
 */
struct sl_conn_core {
	uint16_t l4_delta[2];
	uint32_t last_seen;      /* tick of the last packet */
	uint16_t neigh[2];       /* neighbour entry per direction, in the worker's table */
	uint32_t virtual_server; /* reference: id and generation, see snapshot.h */
	uint32_t backend;        /* reference */
	uint8_t state;           /* enum sl_conn_state */
	uint8_t flags;           /* mode and SL_CONN_F_* */
	uint16_t neigh_epoch;    /* the worker's epoch at which neigh[] was resolved; 0 never */
	uint32_t opened;         /* tick at which it was opened */
	union {
		uint16_t port_pool;   /* of the local port, in the worker's slot (FullNAT, SNAT) */
		uint16_t tunnel_port; /* to which the tunnel goes, network byte order (GUE) */
		uint16_t worker;      /* who has the connection (SL_CONN_FLOW_STUB) */
	};
	uint16_t seq; /* odd while identity is written; for readers outside */
};
static_assert(sizeof(struct sl_conn_core) == 32, "half a cache line");

/* The packets that come with key[IN] belong to another worker: secondary/drain.h. */
static inline bool sl_conn_is_flow_stub(const struct sl_conn_core *e)
{
	return (e->flags & SL_CONN_FLOW_STUB) == SL_CONN_FLOW_STUB;
}

/*
 * One connection over IPv4; one cache line. key[IN] is client -> virtual server, key[OUT] is what
 * comes back: backend -> local address (FullNAT), backend -> client (NAT). Of SNAT they are inside
 * -> outside and outside -> local address. ICMP echo has its identifier for the port of who asks,
 * and 0 for the other. A packet of one direction leaves with the other direction's key reversed.
 * Where nothing comes back (SL_CONN_F_DIRECT) there is no key[OUT]: in its place is the backend's
 * address, of either family because a tunnel may lead over the other; its port is the one that the
 * client asked for. key[d].l3_delta is the checksum difference of the IPv4 header, with the TTL's
 * decrement folded in.
 */
struct sl_conn {
	union {
		struct sl_tuple key[2];
		struct {
			struct sl_tuple in; /* key[SL_DIR_IN] */
			struct sl_addr backend;
		} direct;
	};
	struct sl_conn_core core;
};
static_assert(sizeof(struct sl_conn) == 64, "one cache line");

/*
 * One connection over IPv6. Of FullNAT64 key[OUT] is the tuple of an IPv4 packet, in IPv4-mapped
 * addresses; these add nothing to a checksum, so that the difference is as between any addresses.
 * With SL_CONN_F_DIRECT key[OUT] is not in the index: its source is the backend's address, of
 * either family, and port.
 */
struct sl_conn6 {
	struct sl_tuple6 key[2];
	uint8_t spare[16];
	struct sl_conn_core core;
};
static_assert(sizeof(struct sl_conn6) == 128, "two cache lines");

/*
 * Index bucket: one cache line, eight (signature, entry number) pairs. `ref` is
 * entry number * 2 + direction, plus 1 so that 0 is an empty place. A tuple's two
 * buckets are b and b ^ f(signature) (partial-key cuckoo hashing, Fan et al. 2014).
 *
 * Which of the two is the first, only the whole hash tells. A bucket counts the tuples that stand
 * in their second bucket and have it as their first: while there are none, and that is the
 * rule, a tuple that is not here is nowhere, and no second line is read (as F14's overflow
 * counts, Bronson and Shi 2019).
 */
#define SL_CONN_BUCKET_SLOTS 8
struct sl_conn_bucket {
	uint16_t sig[SL_CONN_BUCKET_SLOTS];
	uint32_t ref[SL_CONN_BUCKET_SLOTS];
	uint32_t strays; /* tuples whose first bucket this is, in their second */
	uint8_t away;    /* bit i: place i is such a tuple's: this is its second bucket */
	uint8_t pad[11];
};
static_assert(sizeof(struct sl_conn_bucket) == 64, "one cache line");

/* Sizes and places; written by the primary once, but for n_free. */
struct sl_conn_table {
	uint32_t capacity;    /* entries */
	uint32_t bucket_mask; /* buckets - 1 */
	uint32_t entry_size;  /* of struct sl_conn or of struct sl_conn6 */
	uint32_t n_free;      /* the worker: entries on the stack; its commit point */
	union {
		struct sl_conn *entry;
		struct sl_conn6 *entry6;
	};
	uint32_t *check;
	struct sl_conn_bucket *bucket;
	uint32_t *free;
};

/* An entry of either table. */
union sl_conn_entry {
	struct sl_conn v4;
	struct sl_conn6 v6;
};

/* Connections open now, for readers outside. */
static inline uint32_t sl_conn_open_count(const struct sl_conn_table *t)
{
	return t->capacity - __atomic_load_n(&t->n_free, __ATOMIC_RELAXED);
}

/* What stands at the end of an entry of either table. */
static inline struct sl_conn_core *sl_conn_core(const struct sl_conn_table *t, uint32_t i)
{
	return (struct sl_conn_core *)((char *)t->entry + (i + UINT64_C(1)) * t->entry_size) - 1;
}

/*
 * Copy a connection, of the table's family, as another process than its owner. Returns false when
 * the entry is free or changed hands meanwhile (try again or go on).
 */
static inline bool sl_conn_read(const struct sl_conn_table *t, uint32_t i,
				union sl_conn_entry *copy)
{
	const struct sl_conn_core *core = sl_conn_core(t, i);
	uint16_t seq = __atomic_load_n(&core->seq, __ATOMIC_ACQUIRE);

	if (seq & 1 || __atomic_load_n(&t->check[i], __ATOMIC_ACQUIRE) == 0)
		return false;
	__builtin_memcpy(copy, (const char *)t->entry + (uint64_t)i * t->entry_size, t->entry_size);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&core->seq, __ATOMIC_RELAXED) == seq;
}

#endif
