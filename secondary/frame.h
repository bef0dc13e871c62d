/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places in an Ethernet + IPv4 frame without VLAN tag and without IP options: what the
 * stages after parse may rely on.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define FRAME_L3    RTE_ETHER_HDR_LEN
#define FRAME_L4    (FRAME_L3 + sizeof(struct rte_ipv4_hdr))
#define FRAME_TUPLE (FRAME_L3 + offsetof(struct rte_ipv4_hdr, time_to_live))

static inline struct rte_ether_hdr *frame_eth(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
}

static inline struct rte_ipv4_hdr *frame_ip(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, FRAME_L3);
}

static inline struct rte_tcp_hdr *frame_tcp(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, FRAME_L4);
}

static inline struct rte_udp_hdr *frame_udp(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *, FRAME_L4);
}

/* Folded sum over an IPv4 header without options: 0xffff when its checksum is right. */
static inline uint16_t frame_ip_sum(const struct rte_ipv4_hdr *ip)
{
	uint64_t word[2], sum;
	uint32_t last;

	memcpy(word, ip, sizeof(word));
	memcpy(&last, &ip->dst_addr, sizeof(last));
	sum = (word[0] & 0xffffffff) + (word[0] >> 32) + (word[1] & 0xffffffff) + (word[1] >> 32) +
	      last;
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Addresses that no host has: multicast and above, loopback, "this network", RFC 1122 3.2.1.3. */
static inline bool frame_no_host(uint32_t addr)
{
	uint8_t first = (uint8_t)addr; /* network byte order on a little-endian machine */

	return first >= 224 || first == 127 || first == 0;
}

static inline bool frame_bad_source(const struct rte_ipv4_hdr *ip)
{
	return frame_no_host(ip->src_addr);
}

/* Answer the sender by the way it came: needs no route and no neighbour. */
static inline void frame_return_mac(struct rte_ether_hdr *eth, const struct rte_ether_addr *own)
{
	rte_ether_addr_copy(&eth->src_addr, &eth->dst_addr);
	rte_ether_addr_copy(own, &eth->src_addr);
}

#endif
