/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rewrite. A packet of direction d leaves with the tuple of the other direction
 * reversed, TTL less one, and both checksums moved by the entry's differences
 * (RFC 1624): two loads, two stores and two additions, whatever the mode.
 */
#ifndef REWRITE_H
#define REWRITE_H

#include <rte_branch_prediction.h>

#include <sluice/conn.h>
#include <sluice/csum.h>

#include "secondary/frame.h"

static inline void rewrite_l4_csum(struct rte_mbuf *m, const struct sl_conn *e, unsigned int dir)
{
	if (e->state == SL_CONN_UDP) {
		struct rte_udp_hdr *h = frame_udp(m);
		uint16_t csum = sl_csum_apply(h->dgram_cksum, e->l4_delta[dir]);

		if (likely(h->dgram_cksum)) /* else the sender computed none, RFC 768 */
			h->dgram_cksum = csum ? csum : 0xffff;
	} else {
		struct rte_tcp_hdr *h = frame_tcp(m);

		h->cksum = sl_csum_apply(h->cksum, e->l4_delta[dir]);
	}
}

/*
 * Bytes 22-37 of the frame are struct sl_tuple's, in two words: TTL, protocol, checksum,
 * source; destination, source port, destination port. The TTL is over 1.
 */
static inline void rewrite_tuple(struct rte_mbuf *m, const struct sl_conn *e, unsigned int dir)
{
	char *at = rte_pktmbuf_mtod_offset(m, char *, FRAME_TUPLE);
	uint64_t other[2], source, destination;
	uint32_t first, ports;

	memcpy(&first, at, sizeof(first));
	memcpy(&other[0], &e->key[!dir], sizeof(other[0]));
	memcpy(&other[1], &e->key[!dir].daddr, sizeof(other[1]));
	first = (uint32_t)sl_csum_apply((uint16_t)(first >> 16), e->key[dir].l3_delta) << 16 |
		((uint16_t)first - 1);
	source = other[1] << 32 | first;
	ports = (uint32_t)(other[1] >> 32);
	ports = ports << 16 | ports >> 16;
	destination = (uint64_t)ports << 32 | other[0] >> 32;
	memcpy(at, &source, sizeof(source));
	memcpy(at + sizeof(source), &destination, sizeof(destination));
}

static inline void rewrite_packet(struct rte_mbuf *m, const struct sl_conn *e, unsigned int dir)
{
	rewrite_l4_csum(m, e, dir);
	rewrite_tuple(m, e, dir);
}

#endif
