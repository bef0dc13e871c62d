/* SPDX-License-Identifier: BSD-3-Clause */
/* The generator's frames, of either family: no tags, options or extension headers. */
#ifndef BENCH_GEN_FRAME_H
#define BENCH_GEN_FRAME_H

#include "secondary/frame.h"
#include "secondary/frame6.h"

static inline bool gen_is_ipv6(struct rte_mbuf *m)
{
	return frame_eth(m)->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

static inline struct rte_udp_hdr *gen_udp(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, struct rte_udp_hdr *,
				       gen_is_ipv6(m) ? FRAME6_L4 : FRAME_L4);
}

static inline struct rte_tcp_hdr *gen_tcp(struct rte_mbuf *m)
{
	return (struct rte_tcp_hdr *)gen_udp(m);
}

/* Source and destination change places, addresses and ports: no checksum does. */
static inline void gen_swap_ends(struct rte_mbuf *m)
{
	struct rte_udp_hdr *ports = gen_udp(m);
	rte_be16_t port = ports->src_port;

	ports->src_port = ports->dst_port;
	ports->dst_port = port;
	if (gen_is_ipv6(m)) {
		struct frame6_ip *ip = frame6_ip(m);
		struct sl_addr addr = ip->source;

		ip->source = ip->destination;
		ip->destination = addr;
	} else {
		struct rte_ipv4_hdr *ip = frame_ip(m);
		rte_be32_t addr = ip->src_addr;

		ip->src_addr = ip->dst_addr;
		ip->dst_addr = addr;
	}
}

#endif
