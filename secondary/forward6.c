/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: IPv6 packets with a connection go out: state, next hop, rewrite. A packet that does not
 * fit its link is told of before it is rewritten, since routers don't fragment (RFC 8200 section
 * 5).
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>

#include "secondary/direct.h"
#include "secondary/echo.h"
#include "secondary/exit.h"
#include "secondary/forward64.h"
#include "secondary/icmp6.h"
#include "secondary/nexthop.h"
#include "secondary/rewrite6.h"
#include "secondary/state.h"
#include "secondary/stub.h"
#include "secondary/worker.h"

static __rte_noinline void hops_exceeded(struct worker *w, struct burst *b, unsigned int at)
{
	icmp6_error(w, b, at, (struct icmp6){.type = ICMP6_TIME_EXCEEDED});
	burst_drop(b, at, SL_DROP_TTL_EXCEEDED);
}

/* There is no way (`neigh` is 0), or the packet does not fit on it. */
static __rte_noinline void no_way(struct worker *w, struct burst *b, unsigned int at,
				  uint16_t neigh, uint8_t why)
{
	if (neigh) {
		exit6_too_big(w, b, at,
			      w->frame_max[w->neighs.entry[neigh].port] - RTE_ETHER_HDR_LEN);
		why = SL_DROP_TOO_BIG;
	}
	burst_drop(b, at, why);
}

/* True: the packet left. */
static inline bool forward_one(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn6 *e = b->conn6[at];
	char *frame = rte_pktmbuf_mtod(m, char *), *l4 = frame + b->l4[at];
	unsigned int dir = b->dir[at];
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t neigh;

	if (unlikely(sl_conn_translates(&e->core)))
		return forward64(w, b, at);
	if (unlikely(((struct frame6_ip *)(frame + FRAME6_L3))->hops <= 1)) {
		hops_exceeded(w, b, at);
		return false;
	}
	if (unlikely(e->core.flags & (SL_CONN_F_DIRECT | SL_CONN_F_CLAMP | SL_CONN_F_STUB))) {
		if (e->core.flags & SL_CONN_F_STUB) {
			if (!stub_pass_on6(w, b, at, e))
				list_add(&b->miss6, at);
			return false;
		}
		if (e->core.flags & SL_CONN_F_DIRECT)
			return forward6_direct(w, b, at);
		if (e->core.state == SL_CONN_ICMP)
			return forward6_echo(w, b, at);
		exit6_clamp(w, e, l4);
	}
	if (unlikely(!state_advance(w, &w->conns6, &e->core, dir, (const struct rte_tcp_hdr *)l4,
				    m->pkt_len))) {
		list_add(&b->miss6, at); /* schedule ends the old connection */
		return false;
	}
	neigh = nexthop6_of(w, e, dir, &why);
	if (unlikely(!neigh || m->pkt_len > w->frame_max[w->neighs.entry[neigh].port])) {
		no_way(w, b, at, neigh, why);
		return false;
	}
	rewrite6_packet(frame, l4, e, dir);
	if (unlikely(!neigh_send(w, neigh, m, frame, &why))) {
		burst_drop(b, at, why);
		return false;
	}
	b->verdict[at] = VERDICT_HELD;
	return true;
}

void stage_forward6(struct worker *w, struct burst *b)
{
	unsigned int n = b->hit6.n, sent = 0;

	for (unsigned int k = 0; k < n; k++)
		sent += forward_one(w, b, b->hit6.at[k]);
	b->sent += (uint16_t)sent;
}
