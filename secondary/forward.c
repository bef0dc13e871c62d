/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: packets with a connection go out: state, rewrite, next hop. All that these touch was
 * prefetched by lookup, so one pass does all three.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>

#include <assert.h>
#include <stddef.h>

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

/*
 * State, flags and epoch of an entry are one word. Nearly always nothing of it but the state is
 * other than expected: no flag sends the packet another way, and its next hops are those of now.
 */
#define STRAIGHT_MASK \
	(UINT32_C(0xffff0000) | (SL_CONN_F_DIRECT | SL_CONN_F_CLAMP | SL_CONN_F_STUB) << 8)
static_assert(offsetof(struct sl_conn_core, flags) == offsetof(struct sl_conn_core, state) + 1 &&
		      offsetof(struct sl_conn_core, neigh_epoch) ==
			      offsetof(struct sl_conn_core, state) + 2,
	      "one word");

static inline uint32_t word_of(const struct sl_conn_core *e)
{
	uint32_t word;

	memcpy(&word, &e->state, sizeof(word));
	return word;
}

static inline bool straight(const struct worker *w, const struct sl_conn_core *e)
{
	return (word_of(e) & STRAIGHT_MASK) == w->neighs.epoch_alone;
}

/* What that word is of a connection in direct return that is as straight, less the epoch. */
#define DR_MASK (STRAIGHT_MASK | SL_CONN_MODE_MASK << 8)
#define DR_WORD ((uint32_t)(SL_MODE_DR | SL_CONN_F_DIRECT) << 8)

static inline bool straight_dr(const struct worker *w, const struct sl_conn_core *e)
{
	return (word_of(e) & DR_MASK) == (w->neighs.epoch_alone | DR_WORD);
}

/* TCP's state, and the rewrite. False: nothing was done, it opens its connection anew. */
static __rte_always_inline bool translate(struct worker *w, struct sl_conn *e, size_t dir,
					  char *frame)
{
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(frame + FRAME_L4);

	if (e->core.state == SL_CONN_UDP)
		rewrite_udp_csum(frame, e, dir);
	else if (likely(state_tcp(w, &w->conns, &e->core, (unsigned int)dir, tcp->tcp_flags)))
		rewrite_tcp_csum(frame, e, dir);
	else
		return false;
	rewrite_tuple(frame, e, dir);
	return true;
}

/* The same in direct return, which changes the TTL alone. */
static __rte_always_inline bool pass(struct worker *w, struct sl_conn *e, char *frame)
{
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(frame + FRAME_L4);

	if (e->core.state != SL_CONN_UDP &&
	    unlikely(!state_tcp(w, &w->conns, &e->core, TCP_WAY_DIRECT, tcp->tcp_flags)))
		return false;
	rewrite_ttl(frame);
	return true;
}

/* Schedule ends the old connection after this burst's other packets are done with it. */
static __rte_noinline bool reopen(struct burst *b, unsigned int at)
{
	list_add(&b->miss, at);
	return false;
}

/* Any packet. True: it left. */
static __rte_noinline bool forward_any(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	char *frame = rte_pktmbuf_mtod(m, char *);
	uint8_t why = SL_DROP_NO_ROUTE;

	if ((uint8_t)frame[FRAME_TUPLE] <= 1) { /* its TTL */
		ttl_exceeded(w, b, at);
		return false;
	}
	if (e->core.flags & SL_CONN_F_STUB)
		return stub_pass_on(w, b, at, e) ? false : reopen(b, at);
	if (e->core.flags & SL_CONN_F_DIRECT)
		return forward_direct(w, b, at);
	if (e->core.state == SL_CONN_ICMP)
		return forward_echo(w, b, at);
	if (e->core.flags & SL_CONN_F_CLAMP)
		exit_clamp(w, e, frame);
	if (!translate(w, e, b->dir[at], frame))
		return reopen(b, at);
	state_datagram(w, &e->core, b->dir[at], m->pkt_len);
	if (nexthop_send(w, e, b->dir[at], m, frame, &why))
		return true;
	if (why == SL_DROP_TOO_BIG)
		return exit_rewritten_too_big(w, b, at);
	burst_drop(b, at, why);
	return false;
}

/* The same; what is rare is left to others. */
static inline bool forward_one(struct worker *w, struct burst *b, size_t at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	char *frame = rte_pktmbuf_mtod(m, char *);
	size_t dir = b->dir[at];
	const struct neigh *to = &w->neighs.entry[e->core.neigh[dir]];
	bool direct = !straight(w, &e->core);

	if (unlikely((direct && !straight_dr(w, &e->core)) || !neigh_takes(w, to, m) ||
		     (uint8_t)frame[FRAME_TUPLE] <= 1))
		return forward_any(w, b, (unsigned int)at);
	if (unlikely(!(direct ? pass(w, e, frame) : translate(w, e, dir, frame))))
		return reopen(b, (unsigned int)at);
	state_datagram(w, &e->core, dir, m->pkt_len);
	neigh_send_reachable(w, to, m, frame);
	return true;
}

void stage_forward(struct worker *w, struct burst *b)
{
	size_t n = b->hit.n, stayed = 0;

	for (size_t k = 0; k < n; k++)
		stayed += !forward_one(w, b, b->hit.at[k]);
	b->sent += (uint16_t)(n - stayed);
}
