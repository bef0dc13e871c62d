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
#include "secondary/fragment_cut.h"
#include "secondary/frame6.h"
#include "secondary/nexthop.h"
#include "secondary/rewrite.h"
#include "secondary/state.h"
#include "secondary/tunnel.h"

/* One hop less. */
static inline void take_hop(struct rte_mbuf *m, bool ipv6)
{
	if (ipv6)
		frame6_ip(m)->hops--;
	else
		rewrite_ttl(rte_pktmbuf_mtod(m, char *));
}

/*
 * Without DF a packet over IPv4 goes in fragments, each in a tunnel of its own, so that the
 * tunnel's end need not put anything together (as RFC 7588 section 3.3 has it of GRE).
 */
static bool send_pieces(struct worker *w, struct rte_mbuf *m, uint16_t to, uint32_t mtu,
			const struct tunnel *t, uint8_t *why)
{
	struct rte_mbuf *piece[FRAGMENT_PIECES];
	unsigned int n;

	take_hop(m, false);
	n = fragment_cut(w, m, mtu, piece, why);
	if (!n)
		return false;
	for (unsigned int i = 0; i < n && tunnel_overhead(t->conn, t->to); i++)
		tunnel_encapsulate(w, piece[i], t);
	fragment_send_all(w, piece, n, to);
	rte_pktmbuf_free(m);
	return true;
}

/* `mtu`: the way's, a tunnel's headers taken off. True: it left. */
static __rte_noinline bool leave_over_mtu(struct worker *w, struct burst *b, unsigned int at,
					  uint16_t to, uint32_t mtu, const struct tunnel *t,
					  bool ipv6)
{
	struct rte_mbuf *m = b->pkt[at];
	uint8_t why = SL_DROP_TOO_BIG;

	if (ipv6) {
		exit6_too_big(w, b, at, mtu);
	} else if (frame_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) {
		exit_too_big(w, b, at, mtu);
	} else if (send_pieces(w, m, to, mtu, t, &why)) {
		b->verdict[at] = VERDICT_HELD;
		return true;
	}
	burst_drop(b, at, why);
	return false;
}

/*
 * Packet `at` goes to neighbour `to`, or is dropped: when there is none, for the reason `why`. `t`
 * is all but where from. True: it left.
 */
static __rte_always_inline bool leave(struct worker *w, struct burst *b, unsigned int at,
				      uint16_t to, uint8_t why, struct tunnel *t, bool ipv6)
{
	struct rte_mbuf *m = b->pkt[at];
	const struct neigh *n = &w->neighs.entry[to];
	uint32_t overhead = tunnel_overhead(t->conn, t->to), room = w->frame_max[n->port];
	char *frame = rte_pktmbuf_mtod(m, char *);

	if (unlikely(!to))
		goto drop;
	if (unlikely(m->pkt_len + overhead > room)) {
		t->from = &n->source;
		return leave_over_mtu(w, b, at, to, room - RTE_ETHER_HDR_LEN - overhead, t, ipv6);
	}
	take_hop(m, ipv6);
	if (overhead) {
		t->from = &n->source;
		frame = tunnel_encapsulate(w, m, t);
	}
	if (unlikely(!neigh_send(w, to, m, frame, &why)))
		goto drop;
	b->verdict[at] = VERDICT_HELD; /* who sends fragments does not count it as sent */
	return true;
drop:
	burst_drop(b, at, why);
	return false;
}

bool forward_direct(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	char *frame = rte_pktmbuf_mtod(m, char *);
	struct tunnel t = {
		.conn = &e->core, .to = &e->direct.backend, .hash = b->hash[at], .l4 = FRAME_L4};
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t to;

	if (unlikely(!state_advance_direct(w, &w->conns, &e->core,
					   (const struct rte_tcp_hdr *)(frame + FRAME_L4),
					   m->pkt_len))) {
		list_add(&b->miss, at);
		return false;
	}
	if (unlikely(e->core.flags & SL_CONN_F_CLAMP))
		exit_clamp(w, e, frame);
	to = nexthop_of(w, e, SL_DIR_IN, &why);
	return leave(w, b, at, to, why, &t, false);
}

void forward_direct_later(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn *e = b->conn[at];
	struct tunnel t = {.conn = &e->core, .to = &e->direct.backend, .hash = b->hash[at]};
	uint8_t why = SL_DROP_NO_ROUTE;

	state_datagram(w, &e->core, SL_DIR_IN, b->pkt[at]->pkt_len);
	leave(w, b, at, nexthop_of(w, e, SL_DIR_IN, &why), why, &t, false);
}

bool forward6_direct(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn6 *e = b->conn6[at];
	char *l4 = rte_pktmbuf_mtod_offset(m, char *, b->l4[at]);
	struct tunnel t = {.conn = &e->core,
			   .to = &e->key[SL_DIR_OUT].saddr,
			   .hash = b->hash[at],
			   .l4 = b->l4[at]};
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t to;

	if (unlikely(!state_advance_direct(w, &w->conns6, &e->core, (const struct rte_tcp_hdr *)l4,
					   m->pkt_len))) {
		list_add(&b->miss6, at);
		return false;
	}
	if (unlikely(e->core.flags & SL_CONN_F_CLAMP))
		exit6_clamp(w, e, l4);
	to = nexthop6_of(w, e, SL_DIR_IN, &why);
	return leave(w, b, at, to, why, &t, true);
}

void forward6_direct_later(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn6 *e = b->conn6[at];
	struct tunnel t = {.conn = &e->core, .to = &e->key[SL_DIR_OUT].saddr, .hash = b->hash[at]};
	uint8_t why = SL_DROP_NO_ROUTE;

	state_datagram(w, &e->core, SL_DIR_IN, b->pkt[at]->pkt_len);
	leave(w, b, at, nexthop6_of(w, e, SL_DIR_IN, &why), why, &t, true);
}
