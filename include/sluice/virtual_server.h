/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtual server of a packet: one with exactly its port comes first; else the one whose range
 * the port is in, or that has all ports. The compiler has made the latter two one: where all ports
 * are served, ranges fill the gaps between the others. So what has a port of its own costs one
 * lookup, as if there were no ranges, and anything else one more and a binary search.
 */
#ifndef SL_VIRTUAL_SERVER_H
#define SL_VIRTUAL_SERVER_H

#include <sluice/snapshot.h>

/*
 * Hash of a virtual server's key; linear probing in virtual_hash. The product's middle bits are
 * taken, which high bits of a factor don't reach: the fold brings the address's last octet low.
 */
static inline uint32_t sl_virtual_hash(uint32_t addr, uint16_t port, uint8_t proto)
{
	uint64_t x = (uint64_t)addr << 32 | (uint32_t)port << 8 | proto;

	x = (x ^ x >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(x >> 32);
}

/* The range that a port (host order) is in; NULL when it is in none. */
static inline const struct sl_port_range *sl_port_range_find(const struct sl_port_range *range,
							     uint32_t count, uint16_t port)
{
	while (count > 1) {
		uint32_t half = count / 2;

		if (range[half].first <= port)
			range += half;
		count -= half;
	}
	return range->first <= port && port <= range->last ? range : NULL;
}

/* Of packets to no server's own port; out of line, so that those pay nothing. */
static __attribute__((noinline, unused)) const struct sl_virtual_server *sl_virtual_server_in_range(
	const struct sl_snapshot *s, const struct sl_addr *addr, uint16_t port, uint8_t proto)
{
	const struct sl_port_ranges *hash = sl_snapshot_at(s, s->ranges_hash);
	const struct sl_virtual_server *all = sl_snapshot_at(s, s->virtual_servers);
	const struct sl_port_range *ranges = sl_snapshot_at(s, s->port_ranges), *found;
	uint32_t mask = s->ranges_hash.count - 1;
	uint32_t i = sl_virtual_hash(sl_addr_fold(addr), 0, proto) & mask;

	for (; hash[i].count; i = (i + 1) & mask) {
		if (hash[i].proto != proto || !sl_addr_equal(&hash[i].addr, addr))
			continue;
		found = sl_port_range_find(&ranges[hash[i].first], hash[i].count,
					   __builtin_bswap16(port));
		return found ? &all[found->server] : NULL;
	}
	return NULL;
}

/* NULL when nothing is served there. */
static inline const struct sl_virtual_server *sl_virtual_server_find_addr(
	const struct sl_snapshot *s, const struct sl_addr *addr, uint16_t port, uint8_t proto)
{
	const struct sl_virtual_server *all = sl_snapshot_at(s, s->virtual_servers);
	const uint32_t *hash = sl_snapshot_at(s, s->virtual_hash);
	uint32_t mask = s->virtual_hash.count - 1;
	uint32_t i = sl_virtual_hash(sl_addr_fold(addr), port, proto) & mask;

	for (; hash[i]; i = (i + 1) & mask) {
		const struct sl_virtual_server *v = &all[hash[i] - 1];

		if (v->port == port && v->proto == proto && sl_addr_equal(&v->addr, addr))
			return v;
	}
	return sl_virtual_server_in_range(s, addr, port, proto);
}

static inline const struct sl_virtual_server *sl_virtual_server_find(const struct sl_snapshot *s,
								     uint32_t addr, uint16_t port,
								     uint8_t proto)
{
	struct sl_addr v4 = sl_addr_of_v4(addr);

	return sl_virtual_server_find_addr(s, &v4, port, proto);
}

#endif
