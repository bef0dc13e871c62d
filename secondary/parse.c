/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: headers. A TCP or UDP packet that passes goes on with its key and hash; ARP and
 * ICMP are served here; everything else gets its reason. Lengths are decided here:
 * after this stage no one checks a bound again.
 */
#include "secondary/burst.h"

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_prefetch.h>

#include "secondary/arp.h"
#include "secondary/frame.h"
#include "secondary/icmp.h"
#include "secondary/worker.h"

#define MAC_MASK UINT64_C(0xffffffffffff)
#define GO_ON    SL_DROP_MAX /* no reason to drop */

/* Lengths, version, checksum of the IPv4 header. `room`: bytes from it to the frame's end. */
static enum sl_drop_reason check_ip(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip,
				    uint32_t room)
{
	uint64_t csum = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint16_t total = rte_be_to_cpu_16(ip->total_length);

	if (unlikely(ip->version_ihl != RTE_IPV4_VHL_DEF)) {
		if (ip->version_ihl >> 4 != IPVERSION)
			return SL_DROP_IP_VERSION;
		if (rte_ipv4_hdr_len(ip) < sizeof(*ip) || rte_ipv4_hdr_len(ip) > room)
			return SL_DROP_IP_HEADER_LENGTH;
		return SL_DROP_IP_OPTIONS;
	}
	if (unlikely(total < sizeof(*ip) || total > room))
		return SL_DROP_IP_TOTAL_LENGTH;
	if (unlikely(csum == RTE_MBUF_F_RX_IP_CKSUM_BAD ||
		     (csum != RTE_MBUF_F_RX_IP_CKSUM_GOOD && frame_ip_csum(ip))))
		return SL_DROP_IP_CHECKSUM;
	if (unlikely(ip->fragment_offset &
		     rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)))
		return SL_DROP_IP_FRAGMENT;
	return GO_ON;
}

/* Sources that no host has: multicast and above, loopback, "this network", RFC 1122 3.2.1.3. */
static bool bad_source(rte_be32_t addr)
{
	uint8_t first = (uint8_t)addr; /* network byte order on a little-endian machine */

	return first >= 224 || first == 127 || first == 0;
}

static enum sl_drop_reason check_tcp(struct rte_mbuf *m, uint32_t l4_len)
{
	uint32_t header;

	if (unlikely(l4_len < sizeof(struct rte_tcp_hdr)))
		return SL_DROP_L4_SHORT;
	header = (uint32_t)(frame_tcp(m)->data_off >> 4) * 4;
	if (unlikely(header < sizeof(struct rte_tcp_hdr) || header > l4_len))
		return SL_DROP_L4_HEADER_LENGTH;
	return GO_ON;
}

static enum sl_drop_reason check_udp(struct rte_mbuf *m, uint32_t l4_len)
{
	uint32_t len;

	if (unlikely(l4_len < sizeof(struct rte_udp_hdr)))
		return SL_DROP_L4_SHORT;
	len = rte_be_to_cpu_16(frame_udp(m)->dgram_len);
	if (unlikely(len < sizeof(struct rte_udp_hdr) || len > l4_len))
		return SL_DROP_L4_HEADER_LENGTH;
	return GO_ON;
}

/* The key's two words as they stand in the frame, and their hash. */
static void take_key(struct worker *w, struct burst *b, unsigned int at)
{
	uint64_t *key = b->key[at];

	memcpy(key, rte_pktmbuf_mtod_offset(b->pkt[at], char *, FRAME_TUPLE), sizeof(b->key[at]));
	key[0] &= CONN_KEY_MASK;
	b->hash[at] = conn_hash(&w->conns, key[0], key[1]);
	rte_prefetch0(&w->conns.bucket[conn_bucket(&w->conns, b->hash[at])]);
	list_add(&b->flow, at);
}

static void parse_ipv4(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct rte_ipv4_hdr *ip = frame_ip(m);
	enum sl_drop_reason why;
	uint32_t l4_len;

	if (unlikely(m->data_len < FRAME_L4)) {
		burst_drop(b, at, SL_DROP_FRAME_SHORT);
		return;
	}
	why = check_ip(m, ip, m->data_len - FRAME_L3);
	if (likely(why == GO_ON) && unlikely(bad_source(ip->src_addr)))
		why = SL_DROP_IP_SOURCE;
	if (likely(why == GO_ON)) {
		l4_len = rte_be_to_cpu_16(ip->total_length) - (uint32_t)sizeof(*ip);
		if (ip->next_proto_id == IPPROTO_TCP)
			why = check_tcp(m, l4_len);
		else if (ip->next_proto_id == IPPROTO_UDP)
			why = check_udp(m, l4_len);
		else if (ip->next_proto_id == IPPROTO_ICMP) {
			icmp_input(w, b, at, l4_len);
			return;
		} else
			why = SL_DROP_PROTOCOL;
	}
	if (unlikely(why != GO_ON))
		burst_drop(b, at, why);
	else
		take_key(w, b, at);
}

static void parse_one(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct rte_ether_hdr *eth = frame_eth(m);
	uint64_t mac;

	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN)) {
		burst_drop(b, at, SL_DROP_FRAME_SHORT);
		return;
	}
	memcpy(&mac, eth, sizeof(mac));
	if (likely((mac & MAC_MASK) == w->port_mac[m->port] &&
		   eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		parse_ipv4(w, b, at);
	else if ((mac & MAC_MASK) != w->port_mac[m->port] &&
		 !rte_is_broadcast_ether_addr(&eth->dst_addr))
		burst_drop(b, at, SL_DROP_OTHER_HOST);
	else if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		arp_input(w, b, at);
	else if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		burst_drop(b, at, SL_DROP_OTHER_HOST); /* broadcast: none of ours to balance */
	else
		burst_drop(b, at, SL_DROP_ETHERTYPE);
}

void stage_parse(struct worker *w, struct burst *b)
{
	b->flow.n = 0;
	for (unsigned int i = 0; i < b->n; i++) {
		b->verdict[i] = VERDICT_NONE;
		parse_one(w, b, i);
	}
}
