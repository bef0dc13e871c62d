/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: headers of IPv6. Extension headers are passed over within bounds (walk6.h).
 * Fragments go by way of fragment.c; all else that stands before the transport is dropped by name.
 */
#include "secondary/burst.h"

#include <endian.h>
#include <netinet/in.h>

#include <rte_branch_prediction.h>

#include "secondary/conn6.h"
#include "secondary/echo.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/icmp6.h"
#include "secondary/l4.h"
#include "secondary/fragment.h"
#include "secondary/walk6.h"
#include "secondary/worker.h"

/* TCP or UDP: what is wrong with its header, of which `len` bytes are there. */
static inline enum sl_drop_reason check_l4(uint8_t proto, const char *l4, uint32_t len)
{
	enum sl_drop_reason why;

	if (proto == IPPROTO_TCP)
		return l4_check_tcp(l4, len);
	if (unlikely(proto != IPPROTO_UDP))
		return SL_DROP_PROTOCOL;
	why = l4_check_udp(l4, len);
	if (why == L4_GOOD && unlikely(!((const struct rte_udp_hdr *)l4)->dgram_cksum))
		return SL_DROP_L4_CHECKSUM; /* RFC 8200 section 8.1: it is not optional */
	return why;
}

/* `key`: unmasked; the packet's transport is `l4` bytes from the frame's start. */
static inline void take_key(struct worker *w, struct burst *b, unsigned int at, const char *key,
			    uint32_t l4)
{
	const __m128i mask = _mm_set_epi64x(-1, (int64_t)CONN6_KEY_MASK);
	const __m128i *from = (const __m128i *)key;
	__m128i *to = (__m128i *)b->key6[at];
	uint64_t k[CONN6_WORDS], hash;

	_mm_storeu_si128(&to[0], _mm_and_si128(_mm_loadu_si128(&from[0]), mask));
	_mm_storeu_si128(&to[1], _mm_loadu_si128(&from[1]));
	b->l4[at] = (uint8_t)l4;
	conn6_words((const struct sl_tuple6 *)key, k);
	b->key6[at][4] = k[4];
	hash = conn6_hash(&w->conns6, k);
	b->hash[at] = hash;
	conn_prefetch_bucket(&w->conns6, hash);
}

/* ---- all that a packet may be ---------------------------------------------------------- */

static bool to_us(const struct worker *w, const struct rte_mbuf *m, const struct rte_ether_hdr *eth)
{
	return rte_is_same_ether_addr(&eth->dst_addr, &w->root->port[m->port].mac);
}

/* Multicast is for neighbour discovery alone: RFC 2464 section 7. */
static bool multicast(const struct rte_ether_hdr *eth)
{
	return eth->dst_addr.addr_bytes[0] == 0x33 && eth->dst_addr.addr_bytes[1] == 0x33;
}

/* What of the header is wrong. */
static enum sl_drop_reason check_ip(const struct rte_mbuf *m, const struct frame6_ip *ip,
				    struct walk6 *walk)
{
	uint32_t end = FRAME6_L4 + be16toh(ip->payload_length);

	if ((ip->version_class_flow & FRAME6_VERSION_MASK) != FRAME6_VERSION)
		return SL_DROP_IP_VERSION;
	if (end > m->data_len)
		return SL_DROP_IP_TOTAL_LENGTH;
	*walk = (struct walk6){.next = ip->next_header, .at = FRAME6_L4, .end = (uint16_t)end};
	return walk6_extensions(walk, (const char *)ip - FRAME6_L3);
}

/* As check_l4() for what may stand further behind than a buffer's smallest frame (l4.h). */
static enum sl_drop_reason check_walked(const char *frame, const struct walk6 *walk)
{
	uint32_t len = (uint32_t)walk->end - walk->at;

	if ((walk->next == IPPROTO_TCP && len < sizeof(struct rte_tcp_hdr)) ||
	    (walk->next == IPPROTO_UDP && len < sizeof(struct rte_udp_hdr)))
		return SL_DROP_L4_SHORT;
	return check_l4(walk->next, frame + walk->at, len);
}

/* L4_GOOD: a packet to be balanced; or it has its verdict, which is then in *done. */
static enum sl_drop_reason check_packet(struct worker *w, struct burst *b, unsigned int at,
					const char *frame, struct walk6 *walk, bool *done)
{
	struct rte_mbuf *m = b->pkt[at];
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)frame;
	bool ours = to_us(w, m, eth);
	enum sl_drop_reason why;

	if (m->data_len < FRAME6_L4)
		return SL_DROP_FRAME_SHORT;
	if (!ours && !multicast(eth))
		return SL_DROP_OTHER_HOST;
	why = check_ip(m, (const struct frame6_ip *)(frame + FRAME6_L3), walk);
	if (why != L4_GOOD)
		return why;
	if (walk->next == IPPROTO_ICMPV6 &&
	    !icmp6_input(w, b, at, walk->at, (uint32_t)walk->end - walk->at)) {
		*done = true;
		return L4_GOOD;
	}
	if (!ours)
		return SL_DROP_OTHER_HOST;
	return walk->next == IPPROTO_ICMPV6 ? L4_GOOD : check_walked(frame, walk);
}

static __rte_noinline bool parse_any(struct worker *w, struct burst *b, unsigned int at)
{
	const char *frame = rte_pktmbuf_mtod(b->pkt[at], const char *);
	struct walk6 walk = {0};
	struct sl_tuple6 tuple;
	bool done = false;
	enum sl_drop_reason why = check_packet(w, b, at, frame, &walk, &done);

	if (done)
		return false;
	if (why == SL_DROP_IP_FRAGMENT)
		return fragment6_input(w, b, at, &walk);
	if (why != L4_GOOD) {
		burst_drop(b, at, why);
		return false;
	}
	memcpy(&tuple, frame + FRAME6_TUPLE, sizeof(tuple));
	tuple.proto = walk.next;
	memcpy(&tuple.sport, frame + walk.at, 2 * sizeof(tuple.sport));
	if (walk.next == IPPROTO_ICMPV6)
		echo6_set(&tuple, (const struct icmp6 *)(frame + walk.at));
	take_key(w, b, at, (const char *)&tuple, walk.at);
	return true;
}

/* ---- what nearly all are: TCP or UDP to our MAC, without extension headers ------------- */

/* True: it has a key, go on. */
static inline bool parse_one(struct worker *w, struct burst *b, unsigned int at)
{
	const struct rte_mbuf *m = b->pkt[at];
	const char *frame = rte_pktmbuf_mtod(m, const char *);
	const struct frame6_ip *ip = (const struct frame6_ip *)(frame + FRAME6_L3);
	uint32_t len = be16toh(ip->payload_length);
	enum sl_drop_reason why;
	uint64_t mac;

	memcpy(&mac, frame, sizeof(mac));
	if (unlikely((mac ^ w->port_mac[m->port]) << 16 || FRAME6_L4 + len > m->data_len ||
		     (ip->version_class_flow & FRAME6_VERSION_MASK) != FRAME6_VERSION))
		return parse_any(w, b, at);
	why = check_l4(ip->next_header, frame + FRAME6_L4, len);
	if (unlikely(why != L4_GOOD)) {
		if (why == SL_DROP_PROTOCOL)
			return parse_any(w, b, at);
		burst_drop(b, at, why);
		return false;
	}
	take_key(w, b, at, frame + FRAME6_TUPLE, FRAME6_L4);
	return true;
}

void stage_parse6(struct worker *w, struct burst *b)
{
	size_t n = 0, n_packets = b->flow6.n;

	for (size_t i = 0; i < n_packets; i++) {
		unsigned int at = b->flow6.at[i];

		b->flow6.at[n] = (uint8_t)at;
		n += parse_one(w, b, at);
	}
	b->flow6.n = (uint16_t)n;
}
