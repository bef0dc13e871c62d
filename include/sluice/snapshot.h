/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A snapshot: one compiled, immutable configuration in one half of the arena.
 * Writer: ctrl, before it publishes; readers: every worker, the primary.
 * Position independent: a header, then arrays at byte offsets from the header.
 * Addresses and ports are in network byte order unless "host order" is said.
 *
 * References. Virtual servers, backends and local addresses have stable ids
 * (small, dense, kept in the store) and a generation that changes when an id
 * is used again for another thing: ref = id << 8 | generation. Connections and
 * counters name things by reference, so they outlive any snapshot.
 *
 * Life of a half (sl_arena in shm.h): ctrl fills the half that nobody uses,
 * stores the new `current`, tells the workers; a worker announces the
 * generation that it uses in its slot (snapshot_in_use) and then checks that
 * `current` is still the same (a hazard pointer, Michael 2004), so ctrl knows
 * when the other half is free. Died ctrl: `current` is the last store, so a half-filled
 * half is never current.
 */
#ifndef SL_SNAPSHOT_H
#define SL_SNAPSHOT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/addr.h>
#include <sluice/conn.h>
#include <sluice/limits.h>

#define SL_REF(id, generation) ((uint32_t)(id) << 8 | (uint8_t)(generation))
#define SL_REF_ID(ref)         ((ref) >> 8)
#define SL_REF_GENERATION(ref) ((uint8_t)(ref))
#define SL_REF_NONE            UINT32_MAX

/* An array inside a snapshot. */
struct sl_span {
	uint32_t offset; /* bytes from the snapshot's start, 64-byte aligned */
	uint32_t count;  /* elements */
};

/* X(symbol, name in API, CLI and samples, enum sl_sched_table) */
#define SL_SCHEDULERS(X)            \
	X(RR, "rr", CYCLE)          \
	X(WRR, "wrr", CYCLE)        \
	X(MH, "mh", HASH)           \
	X(CONHASH, "conhash", HASH) \
	X(SH, "sh", HASH)           \
	X(FO, "fo", LIST)           \
	X(LC, "lc", NONE)           \
	X(WLC, "wlc", NONE)

enum sl_scheduler {
#define X(symbol, name, table) SL_SCHED_##symbol,
	SL_SCHEDULERS(X)
#undef X
		SL_SCHED_MAX
};

/* What the compiler lays out for a scheduler, as positions in the pool's backends. */
enum sl_sched_table {
	SL_SCHED_TABLE_NONE,  /* nothing: it looks at the backends themselves */
	SL_SCHED_TABLE_CYCLE, /* to be walked; each backend as often as its share says */
	SL_SCHED_TABLE_HASH,  /* to be indexed by a hash */
	SL_SCHED_TABLE_LIST,  /* in the order of preference */
};

/* Indexed by enum sl_scheduler. */
static const uint8_t sl_sched_tables[SL_SCHED_MAX] __attribute__((unused)) = {
#define X(symbol, name, table) [SL_SCHED_##symbol] = SL_SCHED_TABLE_##table,
	SL_SCHEDULERS(X)
#undef X
};

/* What schedulers with a hash table hash. */
enum sl_hash_key {
	SL_HASH_KEY_NONE,
	SL_HASH_KEY_SOURCE_IP,
	SL_HASH_KEY_SOURCE_IP_PORT,
	SL_HASH_KEY_QUIC_CONNECTION_ID,
};

/*
 * Forwarding modes: how a backend's packets get there and back. Connections keep their mode in
 * four bits (conn.h): append only. FULLNAT64 is a connection's alone, never a backend's: see
 * sl_mode_towards(). SNAT is that of policies alone (snat.h).
 * X(symbol, name in API, CLI and samples, sl_conn.flags that follow from it)
 */
#define SL_MODES(X)                       \
	X(FULLNAT, "fullnat", 0)          \
	X(NAT, "nat", 0)                  \
	X(DR, "dr", SL_CONN_F_DIRECT)     \
	X(IPIP, "ipip", SL_CONN_F_DIRECT) \
	X(GRE, "gre", SL_CONN_F_DIRECT)   \
	X(GUE, "gue", SL_CONN_F_DIRECT)   \
	X(FULLNAT64, "fullnat64", 0)      \
	X(SNAT, "snat", 0)

enum sl_mode {
#define X(symbol, name, flags) SL_MODE_##symbol,
	SL_MODES(X)
#undef X
		SL_MODE_MAX
};
static_assert(SL_MODE_MAX <= SL_CONN_MODE_MASK + 1, "a mode fits a connection's flags");

/* Indexed by enum sl_mode. */
static const char *const sl_mode_names[SL_MODE_MAX] __attribute__((unused)) = {
#define X(symbol, name, flags) [SL_MODE_##symbol] = name,
	SL_MODES(X)
#undef X
};

/* sl_conn.flags of a new connection; indexed by enum sl_mode. */
static const uint8_t sl_mode_flags[SL_MODE_MAX] __attribute__((unused)) = {
#define X(symbol, name, flags) [SL_MODE_##symbol] = SL_MODE_##symbol | (flags),
	SL_MODES(X)
#undef X
};

static inline enum sl_mode sl_conn_mode(const struct sl_conn_core *e)
{
	return (enum sl_mode)(e->flags & SL_CONN_MODE_MASK);
}

/* Its two sides are of different families. */
static inline bool sl_conn_translates(const struct sl_conn_core *e)
{
	return sl_conn_mode(e) == SL_MODE_FULLNAT64;
}

/* A host inside reaches out: there is no virtual server. */
static inline bool sl_conn_is_snat(const struct sl_conn_core *e)
{
	return sl_conn_mode(e) == SL_MODE_SNAT;
}

/* Its other side is a port of a local address. */
static inline bool sl_conn_has_local_port(const struct sl_conn_core *e)
{
	enum sl_mode mode = sl_conn_mode(e);

	return mode == SL_MODE_FULLNAT || mode == SL_MODE_FULLNAT64 || mode == SL_MODE_SNAT;
}

/* An endpoint of a virtual server: those of one have its reference, and all but the endpoint alike.
 */
struct sl_virtual_server {
	struct sl_addr addr;
	uint32_t ref;
	uint16_t port; /* 0: a range of ports leads here */
	uint8_t proto;
	uint8_t scheduler;       /* enum sl_scheduler */
	struct sl_span backends; /* struct sl_backend: its pool's */
	/*
	 * uint32_t: positions in its pool's backends, by what its scheduler wants (enum
	 * sl_sched_table). Pools for which these are the same have the same one.
	 */
	struct sl_span cycle;
	struct sl_span local; /* uint32_t: positions in `local_addresses`, of addr's family */
	uint8_t hash_key;     /* enum sl_hash_key */
	uint8_t quic_id;      /* bytes of a connection ID, for that key */
	uint16_t max_mss;     /* bytes, host order; a SYN that says more is changed. 0: none is */
	uint32_t max_connections; /* over all workers; 0: no limit */
	uint32_t slow_start;      /* ticks; 0: none */
	uint16_t n_local_v4; /* over IPv6: IPv4's positions, which stand right before `local` */
	bool persistent;     /* see persistence */
	uint8_t reserved;

	/* What plain ones do not have. */
	struct {
		struct sl_addr mask[2]; /* of a client's address: IPv4's, IPv6's */
		uint32_t timeout;       /* ticks */
		bool leaves_drained;    /* a drained backend does not keep its clients */
	} persistence __attribute__((aligned(64)));
};
static_assert(sizeof(struct sl_virtual_server) == 128, "plain ones need the first line alone");

/* Ports of one address and protocol that lead to a virtual server. */
struct sl_port_range {
	uint16_t first, last; /* host order */
	uint32_t server;      /* position in virtual_servers */
};
static_assert(sizeof(struct sl_port_range) == 8, "no padding: compared as bytes");

/* An address and protocol with such ranges: `count` of them, disjoint and ascending. */
struct sl_port_ranges {
	struct sl_addr addr;
	uint32_t first; /* position in port_ranges */
	uint32_t count; /* 0 in an empty place of the hash */
	uint8_t proto;
	uint8_t reserved[7];
};
static_assert(sizeof(struct sl_port_ranges) == 32, "two a cache line");

struct sl_backend {
	struct sl_addr addr;
	uint32_t ref;
	uint16_t port;   /* 0: the port that the client asked for */
	uint16_t weight; /* 0: no new connections */
	uint8_t mode;    /* enum sl_mode */
	uint8_t resume;  /* per cent of the limit, under which a full one takes connections again */
	uint16_t tunnel_port;     /* UDP port that GUE goes to */
	uint32_t max_connections; /* over all workers; 0: no limit */
};
static_assert(sizeof(struct sl_backend) == 32, "two a cache line");

/* Mode of a connection to it: FullNAT from IPv6 to IPv4 translates the packets. */
static inline uint8_t sl_mode_towards(const struct sl_backend *b, bool from_ipv6)
{
	return from_ipv6 && b->mode == SL_MODE_FULLNAT && sl_addr_is_v4(&b->addr)
		       ? SL_MODE_FULLNAT64
		       : b->mode;
}

/* A backend that was full gets no new connections until it has fewer than these. */
static inline uint32_t sl_backend_low_mark(const struct sl_backend *b)
{
	uint32_t mark = (uint32_t)((uint64_t)b->max_connections * b->resume / 100);

	return mark ? mark : 1;
}

/* The local addresses over IPv4 of an IPv6 address' server, as `local`. */
static inline struct sl_span sl_local_v4(const struct sl_virtual_server *v)
{
	return (struct sl_span){v->local.offset - v->n_local_v4 * (uint32_t)sizeof(uint32_t),
				v->n_local_v4};
}

struct sl_local_address {
	struct sl_addr addr;
	uint32_t ref;
	uint32_t reserved[3];
};

/* What an address of ours is for; one address may be several. */
#define SL_OWN_INTERFACE 0x1 /* an interface's address: answers ARP and echo */
#define SL_OWN_VIRTUAL   0x2 /* a virtual server's: answers ARP and echo */
#define SL_OWN_LOCAL     0x4 /* a local address: answers ARP and echo; replies come to it */
#define SL_OWN_LINK      0x8 /* a port's link-local address; with SL_OWN_INTERFACE */

/* With IPv6, neighbour discovery is what ARP is with IPv4. */
struct sl_own_address {
	struct sl_addr addr;
	uint32_t port_mask; /* ports on which ARP for it is answered */
	uint32_t flags;     /* SL_OWN_*; 0 in an empty place of the hash */
	uint32_t reserved[2];
};
static_assert(sizeof(struct sl_own_address) == 32, "two a cache line");

#define SL_ROUTE_BLACKHOLE 0x1

/* Where a range of destinations goes. */
struct sl_next_hop {
	struct sl_addr gateway; /* zeros: the destination is on the link */
	struct sl_addr source;  /* the interface's address to ask ARP with and to send from */
	uint8_t port;           /* port id */
	uint8_t flags;          /* SL_ROUTE_* */
	uint16_t mtu;           /* bytes of IP packet */
	uint32_t reserved;
};
static_assert(sizeof(struct sl_next_hop) == 40, "no padding: compared as bytes");

/*
 * Routes by longest prefix, compiled to disjoint ranges that cover all
 * addresses: range i starts at start[i] (host order) and ends before start[i + 1];
 * start[0] is 0. hop[i] is a position in next_hops or SL_NO_ROUTE. A binary search
 * answers; a connection caches the answer, so this is off the fast path. The same for IPv6, with
 * starts of 128 bits: not rte_lpm6, which is changed in place and has no room for a table a
 * snapshot.
 */
#define SL_NO_ROUTE UINT32_MAX

/* An IPv6 address as a number. */
struct sl_route6_start {
	uint64_t high, low; /* host order */
};

struct sl_snapshot {
	uint32_t magic; /* SL_SNAPSHOT_MAGIC */
	uint32_t size;  /* bytes, header included */
	uint64_t generation;
	uint64_t revision;              /* of the configuration, in the store */
	uint64_t content;               /* hash of that configuration: its etag, in binary */
	struct sl_span virtual_servers; /* struct sl_virtual_server */
	struct sl_span virtual_hash; /* uint32_t: position + 1, 0 empty; count is a power of two */
	struct sl_span port_ranges;  /* struct sl_port_range */
	struct sl_span ranges_hash;  /* struct sl_port_ranges; count is a power of two */
	struct sl_span backends;     /* struct sl_backend; a pool's stand together */
	struct sl_span cycles;       /* uint32_t, see sl_virtual_server.cycle */
	struct sl_span local_addresses;      /* struct sl_local_address */
	struct sl_span local_lists;          /* uint32_t, see sl_virtual_server.local */
	struct sl_span own_hash;             /* struct sl_own_address; count is a power of two */
	struct sl_span route_start;          /* uint32_t, host order, ascending */
	struct sl_span route_hop;            /* uint32_t */
	struct sl_span next_hops;            /* struct sl_next_hop */
	struct sl_span snat_policies;        /* struct sl_snat_policy, snat.h */
	struct sl_span snat_prefixes;        /* struct sl_prefix, all policies' */
	struct sl_span route6_start;         /* struct sl_route6_start, ascending */
	struct sl_span route6_hop;           /* uint32_t */
	uint32_t route_epoch;                /* differs from the last snapshot's when routes do */
	uint32_t own_epoch;                  /* likewise, when own addresses do */
	uint32_t timeout[SL_CONN_STATE_MAX]; /* ticks, by enum sl_conn_state */
	/*
	 * For virtual servers that end their connections to backends that are gone or drained;
	 * without any both are empty. By id, references; SL_REF_NONE: not one of them.
	 */
	struct sl_span quiescent_servers; /* uint32_t: those servers */
	struct sl_span taking_backends;   /* uint32_t: backends with a weight */
	/*
	 * For virtual servers with persistence; without any both are empty. By id, positions;
	 * UINT32_MAX: none, or not one of them.
	 */
	struct sl_span persistent_servers; /* uint32_t: an endpoint of theirs in virtual_servers */
	struct sl_span backend_places;     /* uint32_t: in backends */
};

#define SL_SNAPSHOT_MAGIC 0x534c534eu /* "SLSN" */

static inline const void *sl_snapshot_at(const struct sl_snapshot *s, struct sl_span span)
{
	return (const char *)s + span.offset;
}

static inline uint32_t sl_own_hash(uint32_t addr)
{
	return (uint32_t)((addr * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* NULL when the address is not ours. */
static inline const struct sl_own_address *sl_own_address_find_addr(const struct sl_snapshot *s,
								    const struct sl_addr *addr)
{
	const struct sl_own_address *hash = sl_snapshot_at(s, s->own_hash);
	uint32_t mask = s->own_hash.count - 1;
	uint32_t i = sl_own_hash(sl_addr_fold(addr)) & mask;

	for (; hash[i].flags; i = (i + 1) & mask)
		if (sl_addr_equal(&hash[i].addr, addr))
			return &hash[i];
	return NULL;
}

static inline const struct sl_own_address *sl_own_address_find(const struct sl_snapshot *s,
							       uint32_t addr)
{
	struct sl_addr v4 = sl_addr_of_v4(addr);

	return sl_own_address_find_addr(s, &v4);
}

/* The range that an address (host order) is in. */
static inline uint32_t sl_route_range(const struct sl_snapshot *s, uint32_t key)
{
	const uint32_t *start = sl_snapshot_at(s, s->route_start);
	uint32_t lo = 0, n = s->route_start.count;

	while (n > 1) {
		uint32_t half = n / 2;

		if (start[lo + half] <= key)
			lo += half;
		n -= half;
	}
	return lo;
}

/* The last address (host order) of a range. */
static inline uint32_t sl_route_range_end(const struct sl_snapshot *s, uint32_t range)
{
	const uint32_t *start = sl_snapshot_at(s, s->route_start);

	return range + 1 < s->route_start.count ? start[range + 1] - 1 : UINT32_MAX;
}

/* Next hop of a range; NULL when there is no route. */
static inline const struct sl_next_hop *sl_route_hop(const struct sl_snapshot *s, uint32_t range)
{
	const uint32_t *hop = sl_snapshot_at(s, s->route_hop);
	const struct sl_next_hop *hops = sl_snapshot_at(s, s->next_hops);

	return hop[range] == SL_NO_ROUTE ? NULL : &hops[hop[range]];
}

/* Next hop to an address (network byte order); NULL when there is no route. */
static inline const struct sl_next_hop *sl_route_find(const struct sl_snapshot *s, uint32_t addr)
{
	/* the project is built for little endian */
	return sl_route_hop(s, sl_route_range(s, __builtin_bswap32(addr)));
}

/* Next hop to an IPv6 address; NULL when there is no route. Link-local addresses have none. */
static inline const struct sl_next_hop *sl_route6_find(const struct sl_snapshot *s,
						       const struct sl_addr *addr)
{
	const struct sl_route6_start *start = sl_snapshot_at(s, s->route6_start);
	const uint32_t *hop = sl_snapshot_at(s, s->route6_hop);
	const struct sl_next_hop *hops = sl_snapshot_at(s, s->next_hops);
	uint64_t high = __builtin_bswap64((uint64_t)addr->w[1] << 32 | addr->w[0]);
	uint64_t low = __builtin_bswap64((uint64_t)addr->w[3] << 32 | addr->w[2]);
	uint32_t lo = 0, n = s->route6_start.count;

	while (n > 1) {
		const struct sl_route6_start *middle = &start[lo + n / 2];

		if (middle->high < high || (middle->high == high && middle->low <= low))
			lo += n / 2;
		n -= n / 2;
	}
	return hop[lo] == SL_NO_ROUTE ? NULL : &hops[hop[lo]];
}

/* The same for either family. */
static inline const struct sl_next_hop *sl_route_find_addr(const struct sl_snapshot *s,
							   const struct sl_addr *addr)
{
	return sl_addr_is_v4(addr) ? sl_route_find(s, sl_addr_v4(addr)) : sl_route6_find(s, addr);
}

#endif
