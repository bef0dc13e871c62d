/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/echo.h"

#include <rte_branch_prediction.h>

#include "secondary/burst.h"
#include "secondary/exit.h"
#include "secondary/fragment_cut.h"
#include "secondary/nexthop.h"
#include "secondary/rewrite.h"
#include "secondary/rewrite6.h"
#include "secondary/state.h"

/* Addresses as of any packet, but where ports would be there are type, code and checksum. */
static void rewrite_echo(char *frame, const struct sl_conn *e, unsigned int dir)
{
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(frame + FRAME_L4);
	struct rte_icmp_hdr before = *icmp;

	rewrite_tuple(frame, e, dir);
	icmp->icmp_type = before.icmp_type;
	icmp->icmp_code = before.icmp_code;
	icmp->icmp_cksum = sl_csum_apply(before.icmp_cksum, e->core.l4_delta[dir]);
	icmp->icmp_ident = dir == SL_DIR_IN ? e->key[SL_DIR_OUT].dport : e->key[SL_DIR_IN].sport;
}

/* It does not fit, and may not be fragmented. */
static bool must_not_fragment(const char *frame, uint32_t mtu)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(frame + FRAME_L3);

	return rte_be_to_cpu_16(ip->total_length) > mtu &&
	       ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
}

bool forward_echo(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	char *frame = rte_pktmbuf_mtod(m, char *);
	unsigned int dir = b->dir[at];
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t to = nexthop_of(w, e, dir, &why);
	uint32_t mtu = w->frame_max[w->neighs.entry[to].port] - RTE_ETHER_HDR_LEN;

	state_datagram(w, &e->core, dir, m->pkt_len);
	if (unlikely(to && must_not_fragment(frame, mtu))) {
		exit_too_big(w, b, at, mtu);
		why = SL_DROP_TOO_BIG;
	} else if (likely(to)) {
		rewrite_echo(frame, e, dir);
		if (likely(fragment_send(w, m, to, mtu, &why)))
			return true;
	}
	burst_drop(b, at, why);
	return false;
}

static void rewrite6_echo(char *frame, char *l4, const struct sl_conn6 *e, unsigned int dir)
{
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)l4; /* ICMPv6 has it alike */

	rewrite6_ip(frame, e, dir);
	icmp->icmp_cksum = sl_csum_apply(icmp->icmp_cksum, e->core.l4_delta[dir]);
	icmp->icmp_ident = dir == SL_DIR_IN ? e->key[SL_DIR_OUT].dport : e->key[SL_DIR_IN].sport;
}

bool forward6_echo(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn6 *e = b->conn6[at];
	char *frame = rte_pktmbuf_mtod(m, char *);
	unsigned int dir = b->dir[at];
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t to = nexthop6_of(w, e, dir, &why);
	uint32_t max = w->frame_max[w->neighs.entry[to].port];

	state_datagram(w, &e->core, dir, m->pkt_len);
	if (unlikely(to && m->pkt_len > max)) {
		exit6_too_big(w, b, at, max - RTE_ETHER_HDR_LEN);
		why = SL_DROP_TOO_BIG;
	} else if (likely(to)) {
		rewrite6_echo(frame, frame + b->l4[at], e, dir);
		if (likely(neigh_send(w, to, m, frame, &why))) {
			b->verdict[at] = VERDICT_HELD;
			return true;
		}
	}
	burst_drop(b, at, why);
	return false;
}
