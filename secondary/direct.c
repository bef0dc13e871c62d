/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nothing but the TTL changes, and a tunnel puts it inside another packet. The way is the
 * backend's, not that of the packet's destination; what the backend answers is not seen, so TCP's
 * state follows from the client's side alone.
 */
#include "secondary/direct.h"

#include <rte_branch_prediction.h>

#include "secondary/burst.h"
#include "secondary/exit.h"
#include "secondary/nexthop.h"
#include "secondary/rewrite.h"
#include "secondary/state.h"
#include "secondary/tunnel.h"

/* True: the packet is gone. */
static bool leave(struct worker *w, struct burst *b, unsigned int at, uint8_t *why)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	uint8_t overhead = tunnel_overhead[e->core.flags & SL_CONN_MODE_MASK];
	uint16_t to = nexthop_of(w, e, SL_DIR_IN, why);
	char *frame = rte_pktmbuf_mtod(m, char *);
	const struct neigh *n = &w->neighs.entry[to];

	if (unlikely(!to))
		return false;
	if (unlikely(m->pkt_len + overhead > w->frame_max[n->port])) {
		*why = SL_DROP_TOO_BIG;
		exit_too_big(w, b, at, w->frame_max[n->port] - RTE_ETHER_HDR_LEN - overhead);
		return false;
	}
	rewrite_ttl(frame);
	if (overhead)
		frame = tunnel_encapsulate(w, e, m, sl_addr_v4(&n->source), b->hash[at]);
	return neigh_send(w, to, m, frame, why);
}

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
	if (unlikely(e->core.flags & SL_CONN_F_CLAMP))
		exit_clamp(w, e, frame);
	if (unlikely(!leave(w, b, at, &why))) {
		burst_drop(b, at, why);
		return false;
	}
	b->verdict[at] = VERDICT_HELD;
	return true;
}
