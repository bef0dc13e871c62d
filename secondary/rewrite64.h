/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets from one family to the other (RFC 7915 sections 4.1 and 5.1), headers and frames alike.
 * The ports and the transport's checksum are rewrite6.h's.
 */
#ifndef REWRITE64_H
#define REWRITE64_H

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include <sluice/conn.h>

#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/rewrite6.h"

#define REWRITE64_GROWTH (sizeof(struct frame6_ip) - sizeof(struct rte_ipv4_hdr))

/* IPv4 packets up to this leave without DF: they came from where 1280 bytes are always whole. */
#define REWRITE64_MAY_FRAGMENT 1260

/* What the headers of both families say. */
struct rewrite64_header {
	uint8_t tos; /* or traffic class */
	uint8_t ttl; /* or hop limit */
	uint8_t proto;
	uint16_t payload; /* bytes behind the header, extension headers left out */
};

/* `l4`: where the transport begins, which is `proto`. */
static inline struct rewrite64_header rewrite64_read6(const struct frame6_ip *ip, const char *l4,
						      uint8_t proto)
{
	uint32_t class_flow = rte_be_to_cpu_32(ip->version_class_flow);
	uint32_t extensions = (uint32_t)(l4 - (const char *)ip - sizeof(*ip));

	return (struct rewrite64_header){
		.tos = (uint8_t)(class_flow >> FRAME6_CLASS_SHIFT),
		.ttl = ip->hops,
		.proto = proto,
		.payload = (uint16_t)(rte_be_to_cpu_16(ip->payload_length) - extensions),
	};
}

static inline struct rewrite64_header rewrite64_read4(const struct rte_ipv4_hdr *ip)
{
	uint16_t total = rte_be_to_cpu_16(ip->total_length);

	return (struct rewrite64_header){
		.tos = ip->type_of_service,
		.ttl = ip->time_to_live,
		.proto = ip->next_proto_id,
		.payload = (uint16_t)(total - rte_ipv4_hdr_len(ip)),
	};
}

/* Neither flow label nor anything of IPv4's options: section 4.1. */
static inline void rewrite64_put6(struct frame6_ip *ip, const struct rewrite64_header *h,
				  const struct sl_addr *from, const struct sl_addr *to)
{
	*ip = (struct frame6_ip){
		.version_class_flow =
			FRAME6_VERSION | rte_cpu_to_be_32((uint32_t)h->tos << FRAME6_CLASS_SHIFT),
		.payload_length = rte_cpu_to_be_16(h->payload),
		.next_header = h->proto,
		.hops = h->ttl,
		.source = *from,
		.destination = *to,
	};
}

/* `id`: so that its fragments can be told from others'. */
static inline void rewrite64_put4(struct rte_ipv4_hdr *ip, const struct rewrite64_header *h,
				  uint16_t id, const struct sl_addr *from, const struct sl_addr *to)
{
	uint16_t total = (uint16_t)(sizeof(*ip) + h->payload);

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = h->tos,
		.total_length = rte_cpu_to_be_16(total),
		.packet_id = rte_cpu_to_be_16(id),
		.fragment_offset =
			total > REWRITE64_MAY_FRAGMENT ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = h->ttl,
		.next_proto_id = h->proto,
		.src_addr = sl_addr_v4(from),
		.dst_addr = sl_addr_v4(to),
	};
	ip->hdr_checksum = (uint16_t)~frame_ip_sum(ip);
}

/* What is behind the packet is Ethernet's padding. */
static inline void rewrite64_cut(struct rte_mbuf *m, uint32_t len)
{
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}

/* The headers of a packet that leaves over IPv4; `l4`: what is behind them. */
static inline char *rewrite64_headers4(struct rte_mbuf *m, char *l4, const struct sl_conn6 *e,
				       uint16_t id)
{
	const struct sl_tuple6 *out = &e->key[SL_DIR_OUT];
	struct rewrite64_header h = rewrite64_read6(frame6_ip(m), l4, out->proto);
	char *frame = l4 - FRAME_L4;

	h.ttl--;
	rte_pktmbuf_adj(m, (uint16_t)(frame - rte_pktmbuf_mtod(m, char *)));
	rewrite64_cut(m, (uint32_t)(FRAME_L4 + h.payload));
	rewrite64_put4(frame_ip(m), &h, id, &out->daddr, &out->saddr);
	return frame;
}

/* A packet of the client's leaves over IPv4. Returns the frame's new start. */
static inline char *rewrite64_to_backend(struct rte_mbuf *m, char *l4, const struct sl_conn6 *e,
					 uint16_t id)
{
	rewrite6_l4(l4, e, SL_DIR_IN);
	return rewrite64_headers4(m, l4, e, id);
}

/* The headers of a packet that leaves over IPv6. */
static inline char *rewrite64_headers6(struct rte_mbuf *m, const struct sl_conn6 *e)
{
	const struct sl_tuple6 *in = &e->key[SL_DIR_IN];
	struct rewrite64_header h = rewrite64_read4(frame_ip(m));
	char *frame;

	h.ttl--;
	rewrite64_cut(m, (uint32_t)(FRAME_L4 + h.payload));
	frame = rte_pktmbuf_prepend(m, REWRITE64_GROWTH);
	rewrite64_put6(frame6_ip(m), &h, &in->daddr, &in->saddr);
	return frame;
}

/* RFC 7915 section 4.5: IPv6 has no datagrams without a checksum. */
static __rte_noinline void rewrite64_sum_udp(const struct frame6_ip *ip, struct rte_udp_hdr *udp)
{
	uint16_t csum;

	udp->dgram_cksum = 0;
	csum = (uint16_t)~frame6_sum(ip, IPPROTO_UDP, udp, rte_be_to_cpu_16(udp->dgram_len));
	udp->dgram_cksum = csum ? csum : 0xffff;
}

/* A packet of the backend's leaves over IPv6. Returns the frame's new start. */
static inline char *rewrite64_to_client(struct rte_mbuf *m, char *l4, const struct sl_conn6 *e)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)l4;
	bool summed = e->core.state != SL_CONN_UDP || udp->dgram_cksum;
	char *frame;

	rewrite6_l4(l4, e, SL_DIR_OUT);
	frame = rewrite64_headers6(m, e);
	if (unlikely(!summed))
		rewrite64_sum_udp(frame6_ip(m), udp);
	return frame;
}

#endif
