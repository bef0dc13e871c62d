/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests: clients' frames, by flow. */
#include "tests/bench/gen_state.h"

#include <math.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_cycles.h>

#include <sluice/csum.h>
#include <sluice/owner.h>

#include "secondary/worker.h"
#include "tests/bench/gen_frame.h"

#define VIP         RTE_BE32(0xc0000250) /* 192.0.2.80 */
#define CLIENT_BITS 20

/* 2001:db8:1::80; 2001:db8:f:: and on. */
static const struct sl_addr vip6 = {
	.w = {RTE_BE32(0x20010db8), RTE_BE32(0x10000), 0, RTE_BE32(0x80)}};
static const struct sl_addr clients6 = {.w = {RTE_BE32(0x20010db8), RTE_BE32(0xf0000)}};

static void prepare_ip(struct rte_ipv4_hdr *ip, uint8_t proto, uint16_t len)
{
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + len)),
		.time_to_live = 64,
		.next_proto_id = proto,
		.dst_addr = VIP,
	};
	gen.l3_sum = rte_raw_cksum(ip, sizeof(*ip));
	gen.l4_sum =
		rte_raw_cksum(&ip->dst_addr, 4) + rte_cpu_to_be_16(proto) + rte_cpu_to_be_16(len);
}

static void prepare_ip6(struct frame6_ip *ip, uint8_t proto, uint16_t len)
{
	*ip = (struct frame6_ip){
		.version_class_flow = FRAME6_VERSION,
		.payload_length = rte_cpu_to_be_16(len),
		.next_header = proto,
		.hops = 64,
		.source = clients6,
		.destination = vip6,
	};
	gen.l4_sum = frame6_pseudo_sum(ip, proto, len);
}

static void prepare_l4(struct rte_udp_hdr *udp, uint16_t len)
{
	udp->dst_port = RTE_BE16(80);
	if (gen.config.tcp)
		((struct rte_tcp_hdr *)udp)->data_off = 5 << 4;
	else
		udp->dgram_len = rte_cpu_to_be_16(len);
	gen.l4_sum += rte_raw_cksum(udp, len);
}

void gen_request_prepare(void)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)gen.frame;
	uint8_t proto = gen.config.tcp ? IPPROTO_TCP : IPPROTO_UDP;
	size_t l4 = gen.config.ipv6 ? FRAME6_L4 : FRAME_L4;
	uint16_t len = (uint16_t)(gen.config.frame - l4);

	eth->src_addr = GEN_HOST_MAC;
	eth->dst_addr = gen.w->root->port[0].mac;
	eth->ether_type =
		gen.config.ipv6 ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	if (gen.config.ipv6)
		prepare_ip6((struct frame6_ip *)(eth + 1), proto, len);
	else
		prepare_ip((struct rte_ipv4_hdr *)(eth + 1), proto, len);
	prepare_l4((struct rte_udp_hdr *)(gen.frame + l4), len);
}

/* The client endpoint of flow f, over IPv6 its last 32 bits: one whose owner is this worker. */
static void client_of(uint64_t f, rte_be32_t *addr, rte_be16_t *port)
{
	uint32_t p = 1024 + (uint32_t)(f >> CLIENT_BITS) * 8;

	*addr = rte_cpu_to_be_32(GEN_CLIENTS + (uint32_t)(f & ((1u << CLIENT_BITS) - 1)));
	do
		*port = rte_cpu_to_be_16((uint16_t)p++);
	while (gen.config.owners > 1 &&
	       sl_owner_client(*addr, *port, gen.w->root->seed, gen.config.owners) != gen.w->id);
}

/* All but what is behind the IP header: the template's, from this client. */
static void begin_frame(struct rte_mbuf *m, rte_be32_t addr, uint32_t addr_sum)
{
	if (gen.config.ipv6) {
		memcpy(rte_pktmbuf_mtod(m, void *), gen.frame, 128);
		frame6_ip(m)->source.w[3] = addr;
		return;
	}
	memcpy(rte_pktmbuf_mtod(m, void *), gen.frame, 64);
	frame_ip(m)->src_addr = addr;
	frame_ip(m)->hdr_checksum = (uint16_t)~sl_csum_fold(gen.l3_sum + addr_sum);
}

static void make_request(struct rte_mbuf *m, uint64_t f, uint8_t flags)
{
	struct rte_udp_hdr *udp;
	rte_be32_t addr;
	rte_be16_t port;
	uint32_t addr_sum, sum;

	m->data_len = (uint16_t)gen.config.frame;
	m->pkt_len = gen.config.frame;
	client_of(f, &addr, &port);
	addr_sum = (addr & 0xffff) + (addr >> 16);
	begin_frame(m, addr, addr_sum);
	udp = gen_udp(m);
	udp->src_port = port;
	sum = gen.l4_sum + addr_sum + port;
	if (!gen.config.tcp) {
		udp->dgram_cksum = (uint16_t)~sl_csum_fold(sum);
		udp->dgram_cksum = udp->dgram_cksum ? udp->dgram_cksum : 0xffff; /* RFC 768 */
		return;
	}
	gen_tcp(m)->tcp_flags = flags;
	gen_tcp(m)->cksum = (uint16_t)~sl_csum_fold(sum + rte_cpu_to_be_16(flags));
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
