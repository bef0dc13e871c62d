/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/exit.h"

#include <sluice/virtual_server.h>

#include "secondary/burst.h"
#include "secondary/clamp.h"
#include "secondary/fragment_cut.h"
#include "secondary/frame.h"
#include "secondary/icmp.h"
#include "secondary/icmp6.h"
#include "secondary/rewrite.h"
#include "secondary/worker.h"

void exit_too_big(struct worker *w, const struct burst *b, unsigned int at, uint32_t mtu)
{
	uint16_t word = rte_be_to_cpu_16(frame_ip(b->pkt[at])->fragment_offset);

	/* of fragments the first alone is told of, RFC 1122 section 3.2.2 */
	if (word & RTE_IPV4_HDR_DF_FLAG && !(word & RTE_IPV4_HDR_OFFSET_MASK))
		icmp_too_big(w, b, at, (uint16_t)mtu);
}

void exit6_too_big(struct worker *w, const struct burst *b, unsigned int at, uint32_t mtu)
{
	icmp6_error(w, b, at, icmp6_of_too_big(mtu));
}

bool exit_rewritten_too_big(struct worker *w, struct burst *b, unsigned int at)
{
	const struct sl_conn *e = b->conn[at];
	unsigned int dir = b->dir[at];
	uint16_t neigh = e->core.neigh[dir];
	uint32_t mtu = w->frame_max[w->neighs.entry[neigh].port] - RTE_ETHER_HDR_LEN;
	uint8_t why;

	if (fragment_send(w, b->pkt[at], neigh, mtu, &why)) {
		b->verdict[at] = VERDICT_HELD;
		return true;
	}
	if (why == SL_DROP_TOO_BIG) {
		rewrite_undo(rte_pktmbuf_mtod(b->pkt[at], char *), e, dir);
		exit_too_big(w, b, at, mtu);
	}
	burst_drop(b, at, why);
	return false;
}

static bool is_syn(const struct sl_conn_core *e, const struct rte_tcp_hdr *tcp)
{
	return e->state != SL_CONN_UDP && tcp->tcp_flags & RTE_TCP_SYN_FLAG;
}

static void clamp(const struct sl_virtual_server *vs, struct rte_tcp_hdr *tcp)
{
	if (vs && vs->max_mss)
		clamp_mss(tcp, vs->max_mss);
}

void exit_clamp(struct worker *w, const struct sl_conn *e, char *frame)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(frame + FRAME_L4);
	const struct sl_tuple *in = &e->key[SL_DIR_IN];

	if (is_syn(&e->core, tcp))
		clamp(sl_virtual_server_find(w->snapshot, in->daddr, in->dport, in->proto), tcp);
}

void exit6_clamp(struct worker *w, const struct sl_conn6 *e, char *l4)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)l4;
	const struct sl_tuple6 *in = &e->key[SL_DIR_IN];

	if (is_syn(&e->core, tcp))
		clamp(sl_virtual_server_find_addr(w->snapshot, &in->daddr, in->dport, in->proto),
		      tcp);
}
