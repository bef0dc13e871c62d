/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: headers. A TCP or UDP packet that passes goes on with its key and hash; ARP and ICMP are
 * served here, but for echo that passes through; everything else gets its reason. Frames of IPv6
 * are left to stage_parse6(). Lengths are decided here: after this stage no one checks a bound
 * again.
 */
#include "secondary/burst.h"

#include <endian.h>
#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_prefetch.h>

#include "secondary/arp.h"
#include "secondary/echo.h"
#include "secondary/fragment.h"
#include "secondary/frame.h"
#include "secondary/icmp.h"
#include "secondary/l4.h"
#include "secondary/worker.h"

#define MAC_MASK UINT64_C(0xffffffffffff)
#define GO_ON    SL_DROP_MAX /* no reason to drop */

/* Ethertype IPv4, version 4, no options: bytes 12-14 of the frame, little endian. */
#define PLAIN      0x450008u
#define PLAIN_MASK 0xffffffu

#define IP_LEN     sizeof(struct rte_ipv4_hdr)

/*
 * An IPv4 header without options and the ports behind it, as loaded once: bytes 14-37 of
 * the frame. Words are as they stand in memory.
 */
struct words {
	uint64_t a; /* version, TOS, total length, id, fragment */
	uint64_t b; /* TTL, protocol, checksum, source */
	uint64_t c; /* destination, ports */
};

static inline uint16_t total_length(const struct words *x)
{
	return (uint16_t)__builtin_bswap32((uint32_t)x->a);
}

static inline uint8_t protocol(const struct words *x)
{
	return (uint8_t)(x->b >> 8);
}

static inline bool fragment(const struct words *x)
{
	return (x->a >> 48) & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
}

/*
 * Over the 20 bytes of the header; right when all ones (RFC 1071), which in the arithmetic modulo
 * 2^16 - 1 is 0. 2^64 is 1 there, so that words of 64 bits can be summed, with the carries.
 */
static inline bool bad_checksum(const struct words *x)
{
	uint64_t sum, carry;

	carry = __builtin_add_overflow(x->a, x->b, &sum);
	carry += (uint32_t)x->c; /* the destination */
	sum += carry;
	sum += sum < carry;
	return sum % 0xffff != 0;
}

/* What of the header is wrong. `room`: bytes from it to the frame's end. */
static inline enum sl_drop_reason check_ip(const struct words *x, uint64_t flags, uint32_t room)
{
	uint32_t total = total_length(x);

	if (unlikely(total < sizeof(struct rte_ipv4_hdr) || total > room))
		return SL_DROP_IP_TOTAL_LENGTH;
	if ((flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) != RTE_MBUF_F_RX_IP_CKSUM_GOOD &&
	    unlikely(bad_checksum(x)))
		return SL_DROP_IP_CHECKSUM;
	return unlikely(fragment(x)) ? SL_DROP_IP_FRAGMENT : GO_ON;
}

static inline void take_key(struct worker *w, struct burst *b, size_t at, const struct words *x)
{
	uint64_t k0 = x->b & CONN_KEY_MASK, hash = conn_hash(&w->conns, k0, x->c);

	rte_prefetch0(&w->conns.bucket[conn_bucket(&w->conns, hash)]);
	b->key[at][0] = k0;
	b->key[at][1] = x->c;
	b->hash[at] = hash;
}

/* Destination and ports of a tuple, where the packet has an ICMP header for the ports. */
static uint64_t echo_key(uint64_t c, const char *l4)
{
	struct echo_ports ports = echo_ports((const struct rte_icmp_hdr *)l4);

	return (c & UINT32_MAX) | (uint64_t)ports.sport << 32 | (uint64_t)ports.dport << 48;
}

/* IPv4 without options to our MAC, at least as long as its header. True: it has a key, go on. */
static inline bool parse_plain(struct worker *w, struct burst *b, size_t i,
			       const struct rte_mbuf *m, const char *frame)
{
	enum sl_drop_reason why;
	struct words x;
	unsigned int at = (unsigned int)i;
	uint32_t l4_len;

	memcpy(&x.a, frame + FRAME_L3, sizeof(x.a));
	memcpy(&x.b, frame + FRAME_TUPLE, sizeof(x.b));
	memcpy(&x.c, frame + FRAME_TUPLE + sizeof(x.b), sizeof(x.c));
	why = check_ip(&x, m->ol_flags, m->data_len - FRAME_L3);
	l4_len = total_length(&x) - (uint32_t)sizeof(struct rte_ipv4_hdr);
	if (unlikely(why != GO_ON))
		goto drop;
	if (protocol(&x) == IPPROTO_UDP) {
		why = l4_check_udp(frame + FRAME_L4, l4_len);
	} else if (protocol(&x) == IPPROTO_TCP) {
		why = l4_check_tcp(frame + FRAME_L4, l4_len);
	} else if (protocol(&x) == IPPROTO_ICMP) {
		if (!icmp_input(w, b, at, l4_len))
			return false;
		x.c = echo_key(x.c, frame + FRAME_L4);
	} else {
		why = SL_DROP_PROTOCOL;
	}
	if (unlikely(why != GO_ON))
		goto drop;
	take_key(w, b, i, &x);
	return true;
drop:
	if (why == SL_DROP_IP_FRAGMENT)
		return fragment_input(w, b, at);
	burst_drop(b, at, why);
	return false;
}

/* IPv4 that is not plain: why it is dropped. */
static enum sl_drop_reason odd_ipv4(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip)
{
	if (m->data_len < FRAME_L4)
		return SL_DROP_FRAME_SHORT;
	if (ip->version_ihl >> 4 != IPVERSION)
		return SL_DROP_IP_VERSION;
	if (rte_ipv4_hdr_len(ip) < sizeof(*ip) || rte_ipv4_hdr_len(ip) > m->data_len - FRAME_L3)
		return SL_DROP_IP_HEADER_LENGTH;
	return SL_DROP_IP_OPTIONS;
}

/* Everything else: ARP, and what has no business here. */
static __rte_noinline void parse_odd(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct rte_ether_hdr *eth = frame_eth(m);
	bool to_us;

	if (m->data_len < RTE_ETHER_HDR_LEN) {
		burst_drop(b, at, SL_DROP_FRAME_SHORT);
		return;
	}
	to_us = rte_is_same_ether_addr(&eth->dst_addr, &w->root->port[m->port].mac);
	if (!to_us && !rte_is_broadcast_ether_addr(&eth->dst_addr))
		burst_drop(b, at, SL_DROP_OTHER_HOST);
	else if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		arp_input(w, b, at);
	else if (eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4))
		burst_drop(b, at, SL_DROP_ETHERTYPE);
	else if (!to_us)
		burst_drop(b, at, SL_DROP_OTHER_HOST); /* broadcast: none of ours to balance */
	else
		burst_drop(b, at, odd_ipv4(m, frame_ip(m)));
}

static inline bool plain(const struct worker *w, const struct rte_mbuf *m, const char *frame)
{
	uint64_t mac;
	uint32_t type;

	if (unlikely(m->data_len < FRAME_L4))
		return false;
	memcpy(&mac, frame, sizeof(mac));
	memcpy(&type, frame + offsetof(struct rte_ether_hdr, ether_type), sizeof(type));
	return (mac & MAC_MASK) == w->port_mac[m->port] && (type & PLAIN_MASK) == PLAIN;
}

static inline bool is_ipv6(struct rte_mbuf *m)
{
	return m->data_len >= RTE_ETHER_HDR_LEN &&
	       frame_eth(m)->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6);
}

void stage_parse(struct worker *w, struct burst *b)
{
	size_t n = 0, n_packets = b->n; /* in registers, whatever is stored through pointers */
	size_t n6 = 0;

	b->sent = 0;
	b->again = false;
	b->fragments = b->followed = 0;
	b->later.n = 0;
	memset(b->verdict, VERDICT_NONE, sizeof(b->verdict));
	for (size_t i = 0; i < n_packets; i++) {
		const struct rte_mbuf *m = b->pkt[i];
		const char *frame = rte_pktmbuf_mtod(m, const char *);

		b->flow.at[n] = (uint8_t)i;
		if (likely(plain(w, m, frame)))
			n += parse_plain(w, b, i, m, frame);
		else if (is_ipv6(b->pkt[i]))
			b->flow6.at[n6++] = (uint8_t)i;
		else
			parse_odd(w, b, (unsigned int)i);
	}
	b->flow.n = (uint16_t)n;
	b->flow6.n = (uint16_t)n6;
}
