/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker owns a packet's flow: a pure function of the packet, the number
 * of workers and the seed in the root region. Every worker computes it, and the
 * steering of a port (rte_flow, an eBPF program on taps) repeats it, so
 * that most packets arrive at their owner. Correctness never depends on steering.
 *
 *   from a client:             hash of the client's address and port
 *   to a local address:        low bits of the (local) destination port
 *   to an address not ours:    hash of the destination's address and port: it is the client
 *                              that a NAT backend answers, or where a SNAT policy's host goes
 *
 * ICMP echo has ports, too: its identifier for the one of who asks, 0 for the other. So a request
 * to an address not ours belongs to the hash of its destination and 0, and the reply to a local
 * address to who the identifier names.
 *
 * A fragment goes first to who follows its datagram: hash of both addresses and the identification.
 */
#ifndef SL_OWNER_H
#define SL_OWNER_H

#include <stdint.h>

#include <sluice/addr.h>
#include <sluice/conn.h>
#include <sluice/snapshot.h>

#define SL_OWNER_FACTOR UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio */
#define SL_OWNER_FOLD   UINT64_C(0xbf58476d1ce4e5b9)

/*
 * Owner of a client endpoint. `addr` and `port` as they stand in the packet
 * (network byte order, loaded as integers). A multiplicative hash (Knuth, TAOCP 3,
 * 6.4) so that 20 eBPF instructions do it too.
 */
static inline unsigned int sl_owner_client(uint32_t addr, uint16_t port, uint64_t seed,
					   unsigned int n_workers)
{
	uint64_t x = ((uint64_t)port << 32 | addr) ^ seed;

	x *= SL_OWNER_FACTOR;
	x ^= x >> 32;
	x *= SL_OWNER_FACTOR;
	return (unsigned int)(((x >> 32) * n_workers) >> 32);
}

/*
 * The same for an IPv6 client: its address is folded to 32 bits first, by a product so that
 * addresses of one pattern in several words do not meet.
 */
static inline uint32_t sl_owner_fold6(const struct sl_addr *addr, uint64_t seed)
{
	uint64_t x = ((uint64_t)addr->w[1] << 32 | addr->w[0]) ^ seed;

	x *= SL_OWNER_FOLD;
	x ^= x >> 32;
	x += (uint64_t)addr->w[3] << 32 | addr->w[2];
	x *= SL_OWNER_FOLD;
	return (uint32_t)(x >> 32);
}

static inline unsigned int sl_owner_client6(const struct sl_addr *addr, uint16_t port,
					    uint64_t seed, unsigned int n_workers)
{
	return sl_owner_client(sl_owner_fold6(addr, seed), port, seed, n_workers);
}

/* Who follows a datagram in fragments, from there on as above: secondary/fragment.h. */
static inline unsigned int sl_owner_fragment(uint32_t saddr, uint32_t daddr, uint16_t id,
					     uint64_t seed, unsigned int n_workers)
{
	return sl_owner_client(saddr ^ daddr, id, seed, n_workers);
}

static inline unsigned int sl_owner_fragment6(const struct sl_addr *source,
					      const struct sl_addr *destination, uint32_t id,
					      uint64_t seed, unsigned int n_workers)
{
	uint32_t both = sl_owner_fold6(source, seed) ^ sl_owner_fold6(destination, seed);

	return sl_owner_client(both, (uint16_t)(id ^ id >> 16), seed, n_workers);
}

/* Workers rounded up to a power of two, less one: the bits of a port that name its owner. */
static inline uint16_t sl_owner_port_mask(unsigned int n_workers)
{
	unsigned int m = 1;

	while (m < n_workers)
		m <<= 1;
	return (uint16_t)(m - 1);
}

/* Owner of a local port (host byte order). */
static inline unsigned int sl_owner_local_port(uint16_t port, unsigned int n_workers)
{
	return (port & sl_owner_port_mask(n_workers)) % n_workers;
}

/* Owner of a connection: its client's; of SNAT that of where it goes. */
static inline unsigned int sl_owner_conn(const struct sl_conn *e, uint64_t seed,
					 unsigned int n_workers)
{
	const struct sl_tuple *in = &e->key[SL_DIR_IN];

	if (sl_conn_is_snat(&e->core))
		return sl_owner_client(in->daddr, in->dport, seed, n_workers);
	return sl_owner_client(in->saddr, in->sport, seed, n_workers);
}

static inline unsigned int sl_owner_conn6(const struct sl_conn6 *e, uint64_t seed,
					  unsigned int n_workers)
{
	const struct sl_tuple6 *in = &e->key[SL_DIR_IN];

	if ((e->core.flags & SL_CONN_MODE_MASK) == SL_MODE_SNAT)
		return sl_owner_client6(&in->daddr, in->dport, seed, n_workers);
	return sl_owner_client6(&in->saddr, in->sport, seed, n_workers);
}

#endif
