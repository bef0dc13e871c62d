/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: packets with a connection go out: state, rewrite, next hop. All that these touch was
 * prefetched by lookup, so one pass does all three.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>

#include "secondary/direct.h"
#include "secondary/echo.h"
#include "secondary/exit.h"
#include "secondary/icmp.h"
#include "secondary/nexthop.h"
#include "secondary/rewrite.h"
#include "secondary/state.h"
#include "secondary/stub.h"
#include "secondary/worker.h"

static __rte_noinline void ttl_exceeded(struct worker *w, struct burst *b, unsigned int at)
{
	icmp_error(w, b, at, ICMP_TIME_EXCEEDED, 0);
	burst_drop(b, at, SL_DROP_TTL_EXCEEDED);
}

/* True: the packet left. */
static inline bool forward_one(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	char *frame = rte_pktmbuf_mtod(m, char *);
	unsigned int dir = b->dir[at];
	uint8_t why = SL_DROP_NO_ROUTE;

	if (unlikely((uint8_t)frame[FRAME_TUPLE] <= 1)) { /* its TTL */
		ttl_exceeded(w, b, at);
		return false;
	}
	if (unlikely(e->core.flags & (SL_CONN_F_DIRECT | SL_CONN_F_CLAMP | SL_CONN_F_STUB))) {
		if (e->core.flags & SL_CONN_F_DIRECT)
			return forward_direct(w, b, at);
		if (e->core.flags & SL_CONN_F_STUB) {
			stub_pass_on(w, b, at, e);
			return false;
		}
		if (e->core.state == SL_CONN_ICMP)
			return forward_echo(w, b, at);
		exit_clamp(w, e, frame);
	}
	if (unlikely(!state_advance(w, &w->conns, &e->core, dir,
				    (const struct rte_tcp_hdr *)(frame + FRAME_L4), m->pkt_len))) {
		/* schedule ends the old connection after this burst's other packets are done with
		 * it */
		list_add(&b->miss, at);
		return false;
	}
	rewrite_packet(frame, e, dir);
	if (unlikely(!nexthop_send(w, e, dir, m, frame, &why))) {
		if (why == SL_DROP_TOO_BIG)
			return exit_rewritten_too_big(w, b, at);
		burst_drop(b, at, why);
		return false;
	}
	b->verdict[at] = VERDICT_HELD;
	return true;
}

void stage_forward(struct worker *w, struct burst *b)
{
	unsigned int n = b->hit.n, sent = 0;

	for (unsigned int k = 0; k < n; k++)
		sent += forward_one(w, b, b->hit.at[k]);
	b->sent += (uint16_t)sent;
}
