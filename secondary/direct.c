/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nothing but the TTL changes. The way is the backend's, not that of the packet's destination;
 * what the backend answers is not seen, so TCP's state follows from the client's side alone.
 */
#include "secondary/direct.h"

#include <rte_branch_prediction.h>

#include "secondary/burst.h"
#include "secondary/nexthop.h"
#include "secondary/rewrite.h"
#include "secondary/state.h"

bool forward_direct(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	char *frame = rte_pktmbuf_mtod(m, char *);
	uint8_t why = SL_DROP_NO_ROUTE;

	if (unlikely(!state_advance(w, &w->conns, &e->core, TCP_WAY_DIRECT,
				    (const struct rte_tcp_hdr *)(frame + FRAME_L4), m->pkt_len))) {
		list_add(&b->miss, at);
		return false;
	}
	rewrite_ttl(frame);
	if (unlikely(!nexthop_send(w, e, SL_DIR_IN, m, frame, &why))) {
		burst_drop(b, at, why);
		return false;
	}
	b->verdict[at] = VERDICT_HELD;
	return true;
}
