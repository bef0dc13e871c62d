/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FullNAT64: packets of a client over IPv6 leave over IPv4, and the backend's over IPv6. What a
 * packet does to its connection, and its way, are as over IPv6; what an error tells its sender is
 * of the family in which the packet came.
 *
 * A packet to the client grows by 20 bytes. One with DF that does not fit then is told of, as it
 * would be by a router; one without leaves in fragments (fragment64.c). The segments' size needs no
 * change, because either end counts the headers of its own family on its own link.
 */
#include "secondary/forward64.h"

#include <rte_branch_prediction.h>

#include "secondary/burst.h"
#include "secondary/exit.h"
#include "secondary/fragment64.h"
#include "secondary/icmp.h"
#include "secondary/icmp6.h"
#include "secondary/nexthop.h"
#include "secondary/rewrite64.h"
#include "secondary/state.h"
#include "secondary/stub.h"
#include "secondary/worker.h"

static uint8_t ttl_of(struct rte_mbuf *m, unsigned int dir)
{
	return dir == SL_DIR_IN ? frame6_ip(m)->hops : frame_ip(m)->time_to_live;
}

static void ttl_exceeded(struct worker *w, struct burst *b, unsigned int at)
{
	if (b->dir[at] == SL_DIR_IN)
		icmp6_error(w, b, at, (struct icmp6){.type = ICMP6_TIME_EXCEEDED});
	else
		icmp_error(w, b, at, ICMP_TIME_EXCEEDED, 0);
	burst_drop(b, at, SL_DROP_TTL_EXCEEDED);
}

/* `mtu`: of the link on which it was to leave. */
static void too_big(struct worker *w, struct burst *b, unsigned int at, uint32_t mtu)
{
	if (b->dir[at] == SL_DIR_IN)
		icmp6_error(w, b, at, icmp6_of_too_big(mtu + REWRITE64_GROWTH));
	else
		icmp_too_big(w, b, at, (uint16_t)(mtu - REWRITE64_GROWTH));
	burst_drop(b, at, SL_DROP_TOO_BIG);
}

/* Bytes of the packet, of either family, once it is translated. */
static uint32_t length_after(struct rte_mbuf *m, unsigned int dir, uint32_t l4)
{
	if (dir == SL_DIR_OUT)
		return rte_be_to_cpu_16(frame_ip(m)->total_length) + REWRITE64_GROWTH;
	return FRAME6_L4 + rte_be_to_cpu_16(frame6_ip(m)->payload_length) - l4 +
	       (uint32_t)sizeof(struct rte_ipv4_hdr);
}

/* Translate packet `at`, and send it to the neighbour. True: it left. */
static bool leave(struct worker *w, struct burst *b, unsigned int at, uint16_t neigh)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn6 *e = b->conn6[at];
	char *l4 = rte_pktmbuf_mtod_offset(m, char *, b->l4[at]), *frame;
	uint32_t mtu = w->frame_max[w->neighs.entry[neigh].port] - RTE_ETHER_HDR_LEN;
	uint8_t why;

	if (unlikely(length_after(m, b->dir[at], b->l4[at]) > mtu)) {
		if (fragment64_allowed(m, b->dir[at], b->l4[at]))
			return fragment64_leave(w, b, at, neigh);
		too_big(w, b, at, mtu);
		return false;
	}
	if (b->dir[at] == SL_DIR_IN)
		frame = rewrite64_to_backend(m, l4, e, w->ip_id++);
	else
		frame = rewrite64_to_client(m, l4, e);
	if (unlikely(!neigh_send(w, neigh, m, frame, &why))) {
		burst_drop(b, at, why);
		return false;
	}
	b->verdict[at] = VERDICT_HELD;
	return true;
}

bool forward64(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn6 *e = b->conn6[at];
	char *l4 = rte_pktmbuf_mtod_offset(m, char *, b->l4[at]);
	unsigned int dir = b->dir[at];
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t neigh;

	if (unlikely(burst_over_ipv4(b, at) != (dir == SL_DIR_OUT))) {
		burst_drop(b, at, SL_DROP_IP_SOURCE); /* IPv4-mapped addresses in IPv6 */
		return false;
	}
	if (unlikely(ttl_of(m, dir) <= 1)) {
		ttl_exceeded(w, b, at);
		return false;
	}
	if (unlikely(e->core.flags & SL_CONN_F_STUB)) {
		stub_pass_on6(w, b, at, e);
		return false;
	}
	if (unlikely(e->core.flags & SL_CONN_F_CLAMP))
		exit6_clamp(w, e, l4);
	if (unlikely(!state_advance(w, &w->conns6, &e->core, dir, (const struct rte_tcp_hdr *)l4,
				    m->pkt_len))) {
		list_add(&b->miss6, at); /* schedule ends the old connection */
		return false;
	}
	neigh = nexthop6_of(w, e, dir, &why);
	if (unlikely(!neigh)) {
		burst_drop(b, at, why);
		return false;
	}
	if (unlikely(b->fragments >> at & 1))
		return fragment64_leave(w, b, at, neigh);
	return leave(w, b, at, neigh);
}
