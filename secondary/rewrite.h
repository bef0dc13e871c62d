/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rewrite. A packet of direction d leaves with the tuple of the other direction
 * reversed, TTL less one, and both checksums moved by the entry's differences
 * (RFC 1624): a load, a shuffle, a store and two subtractions, whatever the mode. The words before
 * the addresses in a struct sl_tuple are overwritten.
 */
#ifndef REWRITE_H
#define REWRITE_H

#include <rte_branch_prediction.h>
#include <rte_vect.h>

#include <sluice/conn.h>
#include <sluice/csum.h>

#include "secondary/frame.h"

static inline void rewrite_udp_csum(char *frame, const struct sl_conn *e, size_t dir)
{
	struct rte_udp_hdr *h = (struct rte_udp_hdr *)(frame + FRAME_L4);

	if (likely(h->dgram_cksum)) /* else the sender computed none, RFC 768 */
		h->dgram_cksum = sl_csum_apply_udp(h->dgram_cksum, e->core.l4_delta[dir]);
}

static inline void rewrite_tcp_csum(char *frame, const struct sl_conn *e, size_t dir)
{
	struct rte_tcp_hdr *h = (struct rte_tcp_hdr *)(frame + FRAME_L4);

	h->cksum = sl_csum_apply(h->cksum, e->core.l4_delta[dir]);
}

/* Bytes 22-37 of the frame are struct sl_tuple's. */
static inline void rewrite_tuple(char *frame, const struct sl_conn *e, size_t dir)
{
	/* source and destination change places */
	const __m128i reverse = _mm_setr_epi8(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 14, 15, 12, 13);
	const char *keys = (const char *)e->key;
	size_t this = dir * sizeof(struct sl_tuple), other = this ^ sizeof(struct sl_tuple);
	const struct sl_tuple *arrived = (const struct sl_tuple *)(keys + this);
	__m128i reply = _mm_load_si128((const __m128i *)(keys + other));
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + FRAME_L3);
	uint8_t ttl = (uint8_t)(ip->time_to_live - 1);
	uint16_t csum = sl_csum_apply(ip->hdr_checksum, arrived->l3_delta);

	_mm_storeu_si128((__m128i *)(frame + FRAME_TUPLE), _mm_shuffle_epi8(reply, reverse));
	ip->hdr_checksum = csum;
	ip->time_to_live = ttl;
}

/* Of a packet that leaves as it came there is only the TTL. */
static inline void rewrite_ttl(char *frame)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + FRAME_L3);

	ip->time_to_live--;
	ip->hdr_checksum = sl_csum_apply(ip->hdr_checksum, (uint16_t)~RTE_BE16(0x0100));
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
