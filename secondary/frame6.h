/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places in an Ethernet + IPv6 frame without VLAN tag. What is behind the IPv6 header may stand
 * further on, after extension headers: parse says where, in struct burst.
 */
#ifndef FRAME6_H
#define FRAME6_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <sluice/addr.h>
#include <sluice/tunnel.h>

#define FRAME6_L3    RTE_ETHER_HDR_LEN
#define FRAME6_L4    (FRAME6_L3 + sizeof(struct frame6_ip)) /* without extension headers */
#define FRAME6_TUPLE (FRAME6_L3 + 4)                        /* struct sl_tuple6 */

/* RFC 8200 section 3. */
struct frame6_ip {
	uint32_t version_class_flow;
	uint16_t payload_length;
	uint8_t next_header;
	uint8_t hops;
	struct sl_addr source;
	struct sl_addr destination;
} __attribute__((packed, aligned(2)));
static_assert(sizeof(struct frame6_ip) == 40, "as in a packet");

#define FRAME6_VERSION      RTE_BE32(0x60000000)
#define FRAME6_VERSION_MASK RTE_BE32(0xf0000000)
#define FRAME6_CLASS_SHIFT  20      /* of the traffic class, in the first word */
#define FRAME6_FLOW_MASK    0xfffff /* the flow label, RFC 6437 */
#define FRAME6_MTU_MIN      ((uint32_t)SL_IPV6_MTU_MIN)

static inline bool frame_is_ipv6(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->ether_type ==
	       RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

static inline struct frame6_ip *frame6_ip(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct frame6_ip *, FRAME6_L3);
}

/* Copies: an address in a frame is aligned to 2 bytes only. */
static inline struct sl_addr frame6_source(const struct frame6_ip *ip)
{
	struct sl_addr a;

	__builtin_memcpy(&a, (const char *)ip + 8, sizeof(a));
	return a;
}

static inline struct sl_addr frame6_destination(const struct frame6_ip *ip)
{
	struct sl_addr a;

	__builtin_memcpy(&a, (const char *)ip + 24, sizeof(a));
	return a;
}

static inline bool frame6_multicast(const struct sl_addr *a)
{
	return (uint8_t)a->w[0] == 0xff; /* little endian */
}

/* Addresses that no host has (RFC 4291 section 2.5): multicast, unspecified, loopback, IPv4-mapped.
 */
static inline bool frame6_no_host(const struct sl_addr *a)
{
	return frame6_multicast(a) || !(a->w[0] | a->w[1] | a->w[2]) || sl_addr_is_v4(a);
}

/* Sum, not folded, of the pseudo header of `len` bytes (RFC 8200 section 8.1). */
static inline uint32_t frame6_pseudo_sum(const struct frame6_ip *ip, uint8_t proto, uint32_t len)
{
	return __rte_raw_cksum((const char *)ip + 8, 2 * sizeof(struct sl_addr), 0) +
	       rte_cpu_to_be_16((uint16_t)len) + rte_cpu_to_be_16(proto);
}

/*
 * Sum for the checksum of `len` bytes at `l4`, pseudo header included: all ones when a checksum in
 * it is right.
 */
static inline uint16_t frame6_sum(const struct frame6_ip *ip, uint8_t proto, const void *l4,
				  uint32_t len)
{
	return __rte_raw_cksum_reduce(__rte_raw_cksum(l4, len, frame6_pseudo_sum(ip, proto, len)));
}

#endif
