/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rewrite. A packet of direction d leaves with the tuple of the other direction
 * reversed, TTL less one, and both checksums moved by the entry's differences
 * (RFC 1624): a load, a shuffle, a store and two subtractions, whatever the mode.
 */
#ifndef REWRITE_H
#define REWRITE_H

#include <rte_branch_prediction.h>
#include <rte_vect.h>

#include <sluice/conn.h>
#include <sluice/csum.h>

#include "secondary/frame.h"

static inline void rewrite_l4_csum(char *frame, const struct sl_conn *e, unsigned int dir)
{
	char *l4 = frame + FRAME_L4;

	if (e->core.state == SL_CONN_UDP) {
		struct rte_udp_hdr *h = (struct rte_udp_hdr *)l4;
		uint16_t before = h->dgram_cksum,
			 csum = sl_csum_apply(before, e->core.l4_delta[dir]);

		if (likely(before)) /* else the sender computed none, RFC 768 */
			h->dgram_cksum = csum ? csum : 0xffff;
	} else {
		struct rte_tcp_hdr *h = (struct rte_tcp_hdr *)l4;

		h->cksum = sl_csum_apply(h->cksum, e->core.l4_delta[dir]);
	}
}

/* TTL, protocol and checksum as they leave: the first word of a struct sl_tuple in the frame. */
static inline uint32_t rewrite_first_word(uint32_t first, uint16_t l3_delta)
{
	/* the TTL is over 1: it borrows nothing; the checksum as in sl_csum_apply() */
	int64_t difference = (int64_t)first - ((uint32_t)l3_delta << 16 | 1);

	return (uint32_t)(difference + (difference >> 63) * 0x10000);
}

/* Bytes 22-37 of the frame are struct sl_tuple's. */
static inline void rewrite_tuple(char *frame, const struct sl_conn *e, unsigned int dir)
{
	/* source and destination change places */
	const __m128i reverse = _mm_setr_epi8(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 14, 15, 12, 13);
	__m128i other = _mm_load_si128((const __m128i *)&e->key[dir ^ 1]);
	char *at = frame + FRAME_TUPLE;
	uint32_t first;

	memcpy(&first, at, sizeof(first));
	first = rewrite_first_word(first, e->key[dir].l3_delta);
	other = _mm_insert_epi32(_mm_shuffle_epi8(other, reverse), (int)first, 0);
	_mm_storeu_si128((__m128i *)at, other);
}

/* Of a packet that leaves as it came there is only the TTL. */
static inline void rewrite_ttl(char *frame)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + FRAME_L3);

	ip->time_to_live--;
	ip->hdr_checksum = sl_csum_apply(ip->hdr_checksum, (uint16_t)~RTE_BE16(0x0100));
}

static inline void rewrite_packet(char *frame, const struct sl_conn *e, unsigned int dir)
{
	rewrite_l4_csum(frame, e, dir);
	rewrite_tuple(frame, e, dir);
}

/* The packet as it came, for who quotes it; off the fast path. */
static inline void rewrite_undo(char *frame, const struct sl_conn *e, unsigned int dir)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + FRAME_L3);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);
	uint16_t back = (uint16_t)~e->core.l4_delta[dir];

	if (e->core.state != SL_CONN_UDP)
		tcp->cksum = sl_csum_apply(tcp->cksum, back);
	else if (udp->dgram_cksum)
		udp->dgram_cksum = sl_csum_apply(udp->dgram_cksum, back);
	ip->time_to_live++;
	ip->src_addr = e->key[dir].saddr;
	ip->dst_addr = e->key[dir].daddr;
	udp->src_port = e->key[dir].sport;
	udp->dst_port = e->key[dir].dport;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~frame_ip_sum(ip);
}

#endif
