/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The outer header is a host's: its own TTL and id; the TOS byte or traffic class is the inner
 * one's (ECN in RFC 6040 normal mode).
 *
 * Over IPv4 DF is the inner one's (RFC 2003 section 3.1). IPv6 inside is whole on any path that
 * carries 1280 bytes, so that smaller packets may be fragmented on the way, and larger ones ask
 * for the way's MTU (RFC 4213 section 3.2.2). Over IPv6 (RFC 2473) there are no options, and the
 * flow label tells flows apart for whoever spreads them (RFC 6438).
 *
 * GRE has no optional field (RFC 2784 section 2, RFC 7676); GUE is variant 0 without any, and its
 * source port tells flows apart (draft-ietf-intarea-gue section 5.11). Its UDP checksum is absent
 * over IPv4 (RFC 768). Over IPv6 a receiver takes 0 only where it was told to (RFC 6935, RFC
 * 6936), so it is computed; from the headers alone, for what a checksum inside covers comes to a
 * known sum with it.
 */
#include "secondary/tunnel.h"

#include <assert.h>
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/worker.h"

#define OUTER_TTL      64
#define GUE_PORT_FIRST 0xc000 /* of the dynamic ports, RFC 6335 */

struct gre {
	rte_be16_t flags;
	rte_be16_t ethertype;
};

struct gue {
	struct rte_udp_hdr udp;
	uint8_t version;  /* variant, control bit, length of optional fields */
	uint8_t protocol; /* of what follows */
	rte_be16_t flags;
};

static_assert(sizeof(struct gre) == SL_TUNNEL_GRE && sizeof(struct gue) == SL_TUNNEL_GUE,
	      "as on the wire");

/* What the outer headers say of the packet inside. */
struct inner {
	char *ip;
	uint16_t len;
	uint8_t protocol;
	uint8_t tos; /* or traffic class */
	rte_be16_t ethertype;
	bool dont_fragment;
};

static struct inner read_ipv4(struct rte_ipv4_hdr *ip)
{
	return (struct inner){
		.ip = (char *)ip,
		.len = rte_be_to_cpu_16(ip->total_length),
		.protocol = IPPROTO_IPIP,
		.tos = ip->type_of_service,
		.ethertype = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.dont_fragment = ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
	};
}

static struct inner read_ipv6(struct frame6_ip *ip)
{
	uint16_t len = (uint16_t)(sizeof(*ip) + rte_be_to_cpu_16(ip->payload_length));

	return (struct inner){
		.ip = (char *)ip,
		.len = len,
		.protocol = IPPROTO_IPV6,
		.tos = (uint8_t)(rte_be_to_cpu_32(ip->version_class_flow) >> FRAME6_CLASS_SHIFT),
		.ethertype = RTE_BE16(RTE_ETHER_TYPE_IPV6),
		.dont_fragment = len > FRAME6_MTU_MIN,
	};
}

static struct inner read_inner(struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = frame_ip(m);

	return ip->version_ihl >> 4 == IPVERSION ? read_ipv4(ip) : read_ipv6(frame6_ip(m));
}

/* ---- between the two ---------------------------------------------------------------------- */

static void put_gre(void *at, const struct inner *in)
{
	*(struct gre *)at = (struct gre){.ethertype = in->ethertype};
}

static void put_gue(void *at, const struct tunnel *t, const struct inner *in)
{
	uint16_t source = (uint16_t)(GUE_PORT_FIRST | (t->hash & (UINT16_MAX ^ GUE_PORT_FIRST)));

	*(struct gue *)at = (struct gue){
		.udp = {.src_port = rte_cpu_to_be_16(source),
			.dst_port = t->conn->tunnel_port,
			.dgram_len = rte_cpu_to_be_16((uint16_t)(in->len + sizeof(struct gue)))},
		.protocol = in->protocol,
	};
}

/* Which protocol that is in an outer header. */
static uint8_t put_between(void *at, const struct tunnel *t, const struct inner *in)
{
	switch (sl_conn_mode(t->conn)) {
	case SL_MODE_GRE: put_gre(at, in); return IPPROTO_GRE;
	case SL_MODE_GUE: put_gue(at, t, in); return IPPROTO_UDP;
	default: return in->protocol;
	}
}

/* ---- the checksum of GUE over IPv6 ---------------------------------------------------------- */

/* A fragment, as far as can be seen at once; what has extension headers may be one. */
static bool may_be_fragment(const struct inner *in, const char *l4)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)in->ip;

	if (in->protocol == IPPROTO_IPV6)
		return l4 != in->ip + sizeof(struct frame6_ip);
	return ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
}

/* Does the checksum at `l4` cover all of the `len` bytes there? */
static bool all_covered(const struct tunnel *t, const struct inner *in, const char *l4,
			uint32_t len)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)l4;

	if (may_be_fragment(in, l4))
		return false;
	return t->conn->state != SL_CONN_UDP ||
	       (udp->dgram_cksum && rte_be_to_cpu_16(udp->dgram_len) == len);
}

/* Sum of the pseudo header that the checksum inside is made with. */
static uint16_t pseudo_sum(const struct tunnel *t, const struct inner *in, uint32_t l4_len)
{
	uint8_t proto = t->conn->state == SL_CONN_UDP ? IPPROTO_UDP : IPPROTO_TCP;

	if (in->protocol == IPPROTO_IPV6)
		return __rte_raw_cksum_reduce(
			frame6_pseudo_sum((const struct frame6_ip *)in->ip, proto, l4_len));
	return rte_ipv4_phdr_cksum((const struct rte_ipv4_hdr *)in->ip, 0);
}

static uint32_t inner_sum(const struct tunnel *t, const struct inner *in, const char *l4)
{
	uint32_t headers = (uint32_t)(l4 - in->ip), l4_len = in->len - headers;

	if (!t->l4 || !all_covered(t, in, l4, l4_len))
		return __rte_raw_cksum(in->ip, in->len, 0);
	/* with its pseudo header, what is covered comes to all ones */
	return __rte_raw_cksum(in->ip, headers, (uint16_t)~pseudo_sum(t, in, l4_len));
}

static void seal_gue(const struct tunnel *t, const struct inner *in, const char *l4,
		     const struct frame6_ip *outer)
{
	struct gue *gue = (struct gue *)((char *)outer + sizeof(*outer));
	uint32_t sum = __rte_raw_cksum_reduce(inner_sum(t, in, l4));
	uint16_t csum;

	sum += frame6_pseudo_sum(outer, IPPROTO_UDP, rte_be_to_cpu_16(gue->udp.dgram_len));
	csum = (uint16_t)~__rte_raw_cksum_reduce(__rte_raw_cksum(gue, sizeof(*gue), sum));
	gue->udp.dgram_cksum = csum ? csum : 0xffff;
}

/* ---- the outer header ----------------------------------------------------------------------- */

static void put_ipv4(struct worker *w, char *at, const struct tunnel *t, const struct inner *in,
		     uint16_t len)
{
	struct rte_ipv4_hdr *outer = (struct rte_ipv4_hdr *)at;

	*outer = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = in->tos,
		.total_length = rte_cpu_to_be_16(len),
		.packet_id = rte_cpu_to_be_16(w->ip_id++),
		.fragment_offset = in->dont_fragment ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = OUTER_TTL,
		.next_proto_id = put_between(outer + 1, t, in),
		.src_addr = sl_addr_v4(t->from),
		.dst_addr = sl_addr_v4(t->to),
	};
	outer->hdr_checksum = (uint16_t)~frame_ip_sum(outer);
}

static void put_ipv6(char *at, const struct tunnel *t, const struct inner *in, uint16_t len)
{
	struct frame6_ip *outer = (struct frame6_ip *)at;
	uint32_t flow = t->hash & FRAME6_FLOW_MASK;

	*outer = (struct frame6_ip){
		.version_class_flow =
			FRAME6_VERSION |
			rte_cpu_to_be_32((uint32_t)in->tos << FRAME6_CLASS_SHIFT | flow),
		.payload_length = rte_cpu_to_be_16((uint16_t)(len - sizeof(*outer))),
		.next_header = put_between(outer + 1, t, in),
		.hops = OUTER_TTL,
		.source = *t->from,
		.destination = *t->to,
	};
}

char *tunnel_encapsulate(struct worker *w, struct rte_mbuf *m, const struct tunnel *t)
{
	uint16_t overhead = (uint16_t)tunnel_overhead(t->conn, t->to);
	const char *l4 = rte_pktmbuf_mtod_offset(m, const char *, t->l4);
	struct inner in = read_inner(m);
	char *frame = rte_pktmbuf_prepend(m, overhead), *outer = frame + FRAME_L3;

	if (sl_addr_is_v4(t->to)) {
		put_ipv4(w, outer, t, &in, (uint16_t)(in.len + overhead));
		return frame;
	}
	put_ipv6(outer, t, &in, (uint16_t)(in.len + overhead));
	if (sl_conn_mode(t->conn) == SL_MODE_GUE)
		seal_gue(t, &in, l4, (const struct frame6_ip *)outer);
	return frame;
}
