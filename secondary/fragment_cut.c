/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Not rte_ipv4_fragment_packet(): its fragments share the packet's buffer by reference counts,
 * which may not cross processes (<sluice/pool.h>).
 */
#include "secondary/fragment_cut.h"

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include "secondary/frame.h"
#include "secondary/worker.h"

#define UNIT RTE_IPV4_HDR_OFFSET_UNITS

/* Bytes first..end of the packet's payload, of `total`. */
static void copy_piece(struct rte_mbuf *to, struct rte_mbuf *from, uint32_t first, uint32_t end,
		       uint32_t total)
{
	char *frame = rte_pktmbuf_append(to, (uint16_t)(FRAME_L4 + end - first));
	const char *source = rte_pktmbuf_mtod(from, const char *);
	struct rte_ipv4_hdr *ip = frame_ip(to);
	uint16_t word = rte_be_to_cpu_16(frame_ip(from)->fragment_offset);

	to->port = from->port;
	memcpy(frame, source, FRAME_L4);
	memcpy(frame + FRAME_L4, source + FRAME_L4 + first, end - first);
	word = (uint16_t)(word + first / UNIT);
	if (end < total)
		word |= RTE_IPV4_HDR_MF_FLAG;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + end - first));
	ip->fragment_offset = rte_cpu_to_be_16(word);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~frame_ip_sum(ip);
}

unsigned int fragment_cut(struct worker *w, struct rte_mbuf *m, uint32_t mtu,
			  struct rte_mbuf **piece, uint8_t *why)
{
	uint32_t total = rte_be_to_cpu_16(frame_ip(m)->total_length) - sizeof(struct rte_ipv4_hdr);
	uint32_t room = mtu - sizeof(struct rte_ipv4_hdr), size = room >= total ? total : room;
	unsigned int n;

	if (mtu < sizeof(struct rte_ipv4_hdr) + UNIT || !total) {
		*why = SL_DROP_TOO_BIG;
		return 0;
	}
	if (size < total)
		size = RTE_ALIGN_FLOOR(size, UNIT);
	n = (total + size - 1) / size;
	*why = n > FRAGMENT_PIECES ? SL_DROP_TOO_BIG : SL_DROP_NO_BUFFER;
	if (n > FRAGMENT_PIECES || rte_pktmbuf_alloc_bulk(w->slot->mempool, piece, n))
		return 0;
	for (unsigned int i = 0; i < n; i++)
		copy_piece(piece[i], m, i * size, RTE_MIN(total, (i + 1) * size), total);
	if (n > 1)
		w->stats->fragments_sent += n;
	return n;
}

void fragment_send_all(struct worker *w, struct rte_mbuf **m, unsigned int n, uint16_t neigh)
{
	uint8_t why;

	for (unsigned int i = 0; i < n; i++) {
		if (likely(neigh_send(w, neigh, m[i], rte_pktmbuf_mtod(m[i], char *), &why)))
			continue;
		count_drop(w, why, 1);
		rte_pktmbuf_free(m[i]);
	}
}

bool fragment_send(struct worker *w, struct rte_mbuf *m, uint16_t neigh, uint32_t mtu, uint8_t *why)
{
	struct rte_mbuf *piece[FRAGMENT_PIECES];
	const struct rte_ipv4_hdr *ip = frame_ip(m);
	uint32_t len = rte_be_to_cpu_16(ip->total_length);
	unsigned int n;

	m->data_len = (uint16_t)(FRAME_L3 + len); /* what is behind the packet is padding */
	m->pkt_len = m->data_len;
	if (len <= mtu)
		return neigh_send(w, neigh, m, rte_pktmbuf_mtod(m, char *), why);
	*why = SL_DROP_TOO_BIG;
	n = ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)
		    ? 0
		    : fragment_cut(w, m, mtu, piece, why);
	if (!n)
		return false;
	fragment_send_all(w, piece, n, neigh);
	rte_pktmbuf_free(m);
	return true;
}
