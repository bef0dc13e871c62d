/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers of IPv6, for stage_parse(). Extension headers are passed over within bounds (walk6.h).
 * Fragments are dropped by name, and so is all else that stands before the transport.
 */
#include "secondary/parse6.h"

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "secondary/burst.h"
#include "secondary/conn6.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/icmp6.h"
#include "secondary/l4.h"
#include "secondary/walk6.h"
#include "secondary/worker.h"

/* What of the header is wrong. */
static inline enum sl_drop_reason check_ip(const struct rte_mbuf *m, const struct frame6_ip *ip,
					   struct walk6 *walk)
{
	uint32_t end = FRAME6_L4 + be16toh(ip->payload_length);

	if (unlikely((ip->version_class_flow & FRAME6_VERSION_MASK) != FRAME6_VERSION))
		return SL_DROP_IP_VERSION;
	if (unlikely(end > m->data_len))
		return SL_DROP_IP_TOTAL_LENGTH;
	*walk = (struct walk6){.next = ip->next_header, .at = FRAME6_L4, .end = (uint16_t)end};
	return L4_GOOD;
}

static inline void take_key(struct worker *w, struct burst *b, unsigned int at, const char *frame,
			    const struct walk6 *walk)
{
	uint64_t *key = b->key6[at];
	struct sl_tuple6 tuple;

	memcpy(&tuple, frame + FRAME6_TUPLE, sizeof(tuple));
	if (unlikely(walk->at != FRAME6_L4)) {
		tuple.proto = walk->next;
		memcpy(&tuple.sport, frame + walk->at, 2 * sizeof(tuple.sport));
	}
	conn6_words(&tuple, key);
	b->hash[at] = conn6_hash(&w->conns6, key);
	b->l4[at] = (uint8_t)walk->at;
	rte_prefetch0(&w->conns6.bucket[conn_bucket(&w->conns6, b->hash[at])]);
}

static inline enum sl_drop_reason check_udp6(const char *l4, uint32_t len)
{
	enum sl_drop_reason why = l4_check_udp(l4, len);

	if (why == L4_GOOD && unlikely(!((const struct rte_udp_hdr *)l4)->dgram_cksum))
		return SL_DROP_L4_CHECKSUM; /* RFC 8200 section 8.1: it is not optional */
	return why;
}

static bool to_us(const struct worker *w, const struct rte_mbuf *m, const struct rte_ether_hdr *eth)
{
	return rte_is_same_ether_addr(&eth->dst_addr, &w->root->port[m->port].mac);
}

/* Multicast is for neighbour discovery alone: RFC 2464 section 7. */
static bool multicast(const struct rte_ether_hdr *eth)
{
	return eth->dst_addr.addr_bytes[0] == 0x33 && eth->dst_addr.addr_bytes[1] == 0x33;
}

/* L4_GOOD: a packet to be balanced; or it has its verdict, which is then in *done. */
static inline enum sl_drop_reason parse_packet(struct worker *w, struct burst *b, unsigned int at,
					       const char *frame, struct walk6 *walk, bool *done)
{
	struct rte_mbuf *m = b->pkt[at];
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)frame;
	const struct frame6_ip *ip = (const struct frame6_ip *)(frame + FRAME6_L3);
	bool ours = to_us(w, m, eth);
	enum sl_drop_reason why;

	if (unlikely(!ours && !multicast(eth)))
		return SL_DROP_OTHER_HOST;
	why = check_ip(m, ip, walk);
	if (likely(why == L4_GOOD) && unlikely(walk6_is_extension(walk->next)))
		why = walk6_extensions(walk, frame);
	if (unlikely(why != L4_GOOD))
		return why;
	if (walk->next == IPPROTO_ICMPV6) {
		icmp6_input(w, b, at, walk->at, (uint32_t)walk->end - walk->at);
		*done = true;
		return L4_GOOD;
	}
	if (unlikely(!ours))
		return SL_DROP_OTHER_HOST;
	if (walk->next == IPPROTO_UDP)
		return check_udp6(frame + walk->at, (uint32_t)walk->end - walk->at);
	if (walk->next == IPPROTO_TCP)
		return l4_check_tcp(frame + walk->at, (uint32_t)walk->end - walk->at);
	return SL_DROP_PROTOCOL;
}

bool parse6(struct worker *w, struct burst *b, unsigned int at)
{
	const char *frame = rte_pktmbuf_mtod(b->pkt[at], const char *);
	enum sl_drop_reason why = SL_DROP_FRAME_SHORT;
	struct walk6 walk = {0};
	bool done = false;

	if (likely(b->pkt[at]->data_len >= FRAME6_L4))
		why = parse_packet(w, b, at, frame, &walk, &done);
	if (unlikely(done))
		return false;
	if (unlikely(why != L4_GOOD)) {
		burst_drop(b, at, why);
		return false;
	}
	take_key(w, b, at, frame, &walk);
	return true;
}
