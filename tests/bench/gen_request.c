/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests: clients' frames, by flow. */
#include "tests/bench/gen_state.h"

#include <math.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_cycles.h>

#include <sluice/csum.h>
#include <sluice/owner.h>

#include "secondary/frame.h"
#include "secondary/worker.h"

#define VIP         RTE_BE32(0xc0000250) /* 192.0.2.80 */
#define CLIENT_BITS 20

void gen_request_prepare(void)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)gen.frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	uint16_t l4_len = (uint16_t)(gen.config.frame - FRAME_L4);

	eth->src_addr = GEN_HOST_MAC;
	eth->dst_addr = gen.w->root->port[0].mac;
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(gen.config.frame - FRAME_L3)),
		.time_to_live = 64,
		.next_proto_id = gen.config.tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.dst_addr = VIP,
	};
	if (gen.config.tcp) {
		struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

		tcp->dst_port = RTE_BE16(80);
		tcp->data_off = 5 << 4;
	} else {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

		udp->dst_port = RTE_BE16(80);
		udp->dgram_len = rte_cpu_to_be_16(l4_len);
	}
	gen.l3_sum = rte_raw_cksum(ip, sizeof(*ip));
	gen.l4_sum = rte_raw_cksum(ip + 1, l4_len) + rte_raw_cksum(&ip->dst_addr, 4) +
		     rte_cpu_to_be_16(ip->next_proto_id) + rte_cpu_to_be_16(l4_len);
}

/* The client endpoint of flow f: one whose owner is this worker. */
static void client_of(uint64_t f, rte_be32_t *addr, rte_be16_t *port)
{
	uint32_t p = 1024 + (uint32_t)(f >> CLIENT_BITS) * 8;

	*addr = rte_cpu_to_be_32(GEN_CLIENTS + (uint32_t)(f & ((1u << CLIENT_BITS) - 1)));
	do
		*port = rte_cpu_to_be_16((uint16_t)p++);
	while (gen.config.owners > 1 &&
	       sl_owner_client(*addr, *port, gen.w->root->seed, gen.config.owners) != gen.w->id);
}

static void make_request(struct rte_mbuf *m, uint64_t f, uint8_t flags)
{
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *ports;
	rte_be32_t addr;
	rte_be16_t port;
	uint32_t addr_sum;

	m->data_len = (uint16_t)gen.config.frame;
	m->pkt_len = gen.config.frame;
	memcpy(rte_pktmbuf_mtod(m, void *), gen.frame, 64);
	ip = frame_ip(m);
	ports = frame_udp(m);
	client_of(f, &addr, &port);
	ip->src_addr = addr;
	ports->src_port = port;
	addr_sum = (ip->src_addr & 0xffff) + (ip->src_addr >> 16);
	ip->hdr_checksum = (uint16_t)~sl_csum_fold(gen.l3_sum + addr_sum);
	if (!gen.config.tcp) {
		ports->dgram_cksum =
			(uint16_t)~sl_csum_fold(gen.l4_sum + addr_sum + ports->src_port);
		return;
	}
	frame_tcp(m)->tcp_flags = flags;
	frame_tcp(m)->cksum = (uint16_t)~sl_csum_fold(gen.l4_sum + addr_sum + ports->src_port +
						      rte_cpu_to_be_16(flags));
}

static uint64_t next_random(void)
{
	gen.random ^= gen.random << 13; /* xorshift64, Marsaglia 2003 */
	gen.random ^= gen.random >> 7;
	gen.random ^= gen.random << 17;
	return gen.random;
}

/* The flow of the next request. Zipf with exponent 1, by inversion of the integral 1/x. */
static uint64_t next_flow(void)
{
	uint64_t r;

	switch (gen.config.order) {
	case GEN_ROUND_ROBIN: return gen.next++ % gen.config.flows;
	case GEN_UNIFORM: return (next_random() >> 32) * gen.config.flows >> 32;
	default:
		r = (uint64_t)exp((double)(next_random() >> 11) * 0x1p-53 * gen.zipf_scale) - 1;
		return RTE_MIN(r, gen.config.flows - 1u);
	}
}

/* When it was due, not when it was fetched: a receiver that sleeps is late. The checksum
 * is not right then; nobody on the way verifies it. */
static void stamp(struct rte_mbuf *m)
{
	if (!gen.config.gap_tsc)
		return;
	*rte_pktmbuf_mtod_offset(m, uint32_t *, gen.config.frame - 4) = (uint32_t)gen.due;
	gen.due += gen.config.gap_tsc;
}

void gen_request(struct rte_mbuf *m)
{
	if (gen.phase == GEN_RUNNING && gen.config.load == GEN_STEADY) {
		make_request(m, next_flow(), RTE_TCP_PSH_FLAG | RTE_TCP_ACK_FLAG);
		stamp(m);
	} else {
		make_request(m, gen.opened++, RTE_TCP_SYN_FLAG);
	}
}
