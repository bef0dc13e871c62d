/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: fragments but the first of a datagram. The first went before them, so that the connection
 * is there unless something was wrong with that. They change no state but the time, and have no
 * ports.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>

#include "secondary/conn6.h"
#include "secondary/direct.h"
#include "secondary/exit.h"
#include "secondary/fragment64.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/nexthop.h"
#include "secondary/owner.h"
#include "secondary/pass_on.h"
#include "secondary/rewrite.h"
#include "secondary/state.h"
#include "secondary/stub.h"
#include "secondary/worker.h"

static void no_connection(struct worker *w, struct burst *b, unsigned int at, unsigned int owner)
{
	if (owner == w->id)
		burst_drop(b, at, SL_DROP_NO_CONNECTION);
	else
		pass_to_owner(w, b, at, owner);
}

/* ---- IPv4 ----------------------------------------------------------------------------------- */

/* What stands where ports would is the sender's. */
static void rewrite_addresses(char *frame, const struct sl_conn *e, unsigned int dir)
{
	uint32_t behind;

	memcpy(&behind, frame + FRAME_L4, sizeof(behind));
	rewrite_tuple(frame, e, dir);
	memcpy(frame + FRAME_L4, &behind, sizeof(behind));
}

static void forward4(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	unsigned int dir = b->dir[at];
	char *frame = rte_pktmbuf_mtod(m, char *);
	uint8_t why = SL_DROP_NO_ROUTE;

	state_datagram(w, &e->core, dir, m->pkt_len);
	rewrite_addresses(frame, e, dir);
	if (nexthop_send(w, e, dir, m, frame, &why))
		b->verdict[at] = VERDICT_HELD;
	else if (why == SL_DROP_TOO_BIG)
		exit_rewritten_too_big(w, b, at);
	else
		burst_drop(b, at, why);
}

static void found4(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn *e = b->conn[at];

	if (e->core.flags & SL_CONN_F_STUB)
		stub_pass_on(w, b, at, e);
	else if (frame_ip(b->pkt[at])->time_to_live <= 1)
		burst_drop(b, at, SL_DROP_TTL_EXCEEDED);
	else if (e->core.flags & SL_CONN_F_DIRECT)
		forward_direct_later(w, b, at);
	else
		forward4(w, b, at);
}

/* ---- IPv6, and one to the other ----------------------------------------------------------------
 */

static uint16_t way6(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn6 *e = b->conn6[at];
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t neigh = nexthop6_of(w, e, b->dir[at], &why);

	state_datagram(w, &e->core, b->dir[at], b->pkt[at]->pkt_len);
	if (!neigh)
		burst_drop(b, at, why);
	return neigh;
}

static void forward6(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	const struct sl_tuple6 *other = &b->conn6[at]->key[!b->dir[at]];
	struct frame6_ip *ip = frame6_ip(m);
	uint16_t neigh = way6(w, b, at);
	uint32_t max = w->frame_max[w->neighs.entry[neigh].port];
	uint8_t why = SL_DROP_TOO_BIG;

	if (!neigh)
		return;
	if (m->pkt_len > max) {
		exit6_too_big(w, b, at, max - RTE_ETHER_HDR_LEN);
		burst_drop(b, at, why);
		return;
	}
	ip->hops--;
	ip->source = other->daddr;
	ip->destination = other->saddr;
	if (neigh_send(w, neigh, m, rte_pktmbuf_mtod(m, char *), &why))
		b->verdict[at] = VERDICT_HELD;
	else
		burst_drop(b, at, why);
}

static void forward64_later(struct worker *w, struct burst *b, unsigned int at)
{
	bool to_client = b->dir[at] == SL_DIR_OUT;
	uint16_t neigh;

	if (frame_is_ipv6(b->pkt[at]) == to_client) {
		burst_drop(b, at, SL_DROP_IP_SOURCE); /* IPv4-mapped addresses in IPv6 */
		return;
	}
	neigh = way6(w, b, at);
	if (neigh)
		fragment64_leave(w, b, at, neigh);
}

static uint8_t hops_of(struct rte_mbuf *m)
{
	return frame_is_ipv6(m) ? frame6_ip(m)->hops : frame_ip(m)->time_to_live;
}

static void found6(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn6 *e = b->conn6[at];

	if (e->core.flags & SL_CONN_F_STUB)
		stub_pass_on6(w, b, at, e);
	else if (hops_of(b->pkt[at]) <= 1)
		burst_drop(b, at, SL_DROP_TTL_EXCEEDED);
	else if (sl_conn_translates(&e->core))
		forward64_later(w, b, at);
	else if (e->core.flags & SL_CONN_F_DIRECT)
		forward6_direct_later(w, b, at);
	else
		forward6(w, b, at);
}

/* ---- which of them --------------------------------------------------------------------------- */

/* Of FullNAT64 the reply's tuple stands in IPv6's table, as in lookup64.c. */
static struct sl_conn6 *find_mapped(struct worker *w, const struct sl_tuple *k, uint8_t *dir)
{
	struct sl_tuple6 mapped = conn6_mapped(k);
	uint64_t key[CONN6_WORDS];

	if (!conn_count(&w->conns6))
		return NULL;
	conn6_words(&mapped, key);
	return conn6_find(&w->conns6, key, conn6_hash(&w->conns6, key), dir);
}

static void later4(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn *e = conn_find(&w->conns, b->key[at], b->hash[at], &b->dir[at]);
	struct sl_conn6 *e6;
	struct sl_tuple k;

	if (e) {
		b->conn[at] = e;
		found4(w, b, at);
		return;
	}
	memcpy(&k, b->key[at], sizeof(k));
	e6 = find_mapped(w, &k, &b->dir[at]);
	if (e6) {
		b->conn6[at] = e6;
		found6(w, b, at);
		return;
	}
	no_connection(w, b, at, owner_of(w, &k));
}

static void later6(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn6 *e = conn6_find(&w->conns6, b->key6[at], b->hash[at], &b->dir[at]);
	struct sl_tuple6 k;

	if (e) {
		b->conn6[at] = e;
		found6(w, b, at);
		return;
	}
	memcpy(&k, b->key6[at], sizeof(k));
	no_connection(w, b, at, owner_of6(w, &k));
}

void stage_later(struct worker *w, struct burst *b)
{
	for (unsigned int k = 0; k < b->later.n; k++) {
		unsigned int at = b->later.at[k];

		(frame_is_ipv6(b->pkt[at]) ? later6 : later4)(w, b, at);
	}
}
