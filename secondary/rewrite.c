/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: rewrite. A packet of direction d leaves with the tuple of the other direction
 * reversed, TTL less one, and both checksums moved by the entry's differences
 * (RFC 1624): two loads, two stores and two additions, whatever the mode.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>

#include <sluice/csum.h>

#include "secondary/frame.h"
#include "secondary/worker.h"

static inline void rewrite_l4_csum(struct rte_mbuf *m, bool udp, uint16_t delta)
{
	if (udp) {
		struct rte_udp_hdr *h = frame_udp(m);
		uint16_t csum = sl_csum_apply(h->dgram_cksum, delta);

		if (likely(h->dgram_cksum)) /* else the sender computed none, RFC 768 */
			h->dgram_cksum = csum ? csum : 0xffff;
	} else {
		struct rte_tcp_hdr *h = frame_tcp(m);

		h->cksum = sl_csum_apply(h->cksum, delta);
	}
}

/*
 * Bytes 22-37 of the frame are struct sl_tuple's, in two words: TTL, protocol, checksum,
 * source; destination, source port, destination port.
 */
static inline void rewrite_tuple(struct rte_mbuf *m, const struct sl_conn *e, unsigned int dir)
{
	char *at = rte_pktmbuf_mtod_offset(m, char *, FRAME_TUPLE);
	uint64_t in, out[2];
	uint32_t ports, first;

	memcpy(&in, at, sizeof(in));
	memcpy(out, &e->key[!dir], sizeof(out));
	first = (uint32_t)sl_csum_apply((uint16_t)(in >> 16), e->key[dir].l3_delta) << 16;
	first |= (uint16_t)in - 1; /* the TTL is over 1 */
	ports = (uint32_t)(out[1] >> 32);
	ports = ports << 16 | ports >> 16;
	in = out[1] << 32 | first;
	out[1] = (uint64_t)ports << 32 | out[0] >> 32;
	memcpy(at, &in, sizeof(in));
	memcpy(at + sizeof(in), &out[1], sizeof(out[1]));
}

void stage_rewrite(struct worker *w, struct burst *b, const struct list *l)
{
	unsigned int n = l->n;

	(void)w;
	for (unsigned int k = 0; k < n; k++) {
		unsigned int at = l->at[k], dir = b->dir[at];
		const struct sl_conn *e = b->conn[at];

		rewrite_l4_csum(b->pkt[at], e->state == SL_CONN_UDP, e->l4_delta[dir]);
		rewrite_tuple(b->pkt[at], e, dir);
	}
}
