/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: rewrite. A packet of direction d leaves with the tuple of the other direction
 * reversed, TTL less one, and both checksums moved by the entry's differences
 * (RFC 1624): a few stores and two additions, whatever the mode.
 */
#include "secondary/burst.h"

#include <netinet/in.h>

#include <sluice/csum.h>

#include "secondary/frame.h"
#include "secondary/worker.h"

static void rewrite_l4_csum(struct rte_mbuf *m, uint8_t proto, uint16_t delta)
{
	if (proto == IPPROTO_TCP) {
		struct rte_tcp_hdr *tcp = frame_tcp(m);

		tcp->cksum = sl_csum_apply(tcp->cksum, delta);
	} else {
		struct rte_udp_hdr *udp = frame_udp(m);
		uint16_t csum;

		if (!udp->dgram_cksum) /* the sender computed none, RFC 768 */
			return;
		csum = sl_csum_apply(udp->dgram_cksum, delta);
		udp->dgram_cksum = csum ? csum : 0xffff;
	}
}

static void rewrite_one(const struct sl_conn *e, unsigned int dir, struct rte_mbuf *m)
{
	const struct sl_tuple *out = &e->key[!dir];
	struct rte_ipv4_hdr *ip = frame_ip(m);
	struct rte_udp_hdr *ports = frame_udp(m); /* TCP's ports lie at the same place */

	rewrite_l4_csum(m, ip->next_proto_id, e->l4_delta[dir]);
	ip->time_to_live--;
	ip->hdr_checksum = sl_csum_apply(ip->hdr_checksum, e->key[dir].l3_delta);
	ip->src_addr = out->daddr;
	ip->dst_addr = out->saddr;
	ports->src_port = out->dport;
	ports->dst_port = out->sport;
}

void stage_rewrite(struct worker *w, struct burst *b, const struct list *l)
{
	for (unsigned int k = 0; k < l->n; k++) {
		unsigned int at = l->at[k];

		rewrite_one(&w->conns.entry[b->conn[at]], b->dir[at], b->pkt[at]);
	}
}
