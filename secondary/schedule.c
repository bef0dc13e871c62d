/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: packets without a connection. Another worker's go to its redirect ring; a SYN or a
 * datagram to a virtual server opens a connection here; the rest gets its reason.
 *
 * In two passes, so that memory is asked for before it is needed: decide for each packet
 * (server, backend, local port), then write the connections. A packet that may belong to
 * a connection which this very round opens stays in `miss` for the next round. What
 * was opened is left in `hit`, for the stage that forwards.
 */
#include "secondary/burst.h"

#include <errno.h>
#include <netinet/in.h>

#include <rte_branch_prediction.h>

#include <sluice/snapshot.h>

#include "secondary/choose.h"
#include "secondary/claims.h"
#include "secondary/frame.h"
#include "secondary/mode.h"
#include "secondary/owner.h"
#include "secondary/state.h"
#include "secondary/worker.h"

#define GO_ON     SL_DROP_MAX /* no reason to drop */
#define SEEN_BITS 1024

static const struct mode_ops *const modes[SL_MODE_MAX] = {
	[SL_MODE_FULLNAT] = &mode_fullnat, [SL_MODE_NAT] = &mode_nat,
	[SL_MODE_DR] = &mode_dr,           [SL_MODE_IPIP] = &mode_tunnel,
	[SL_MODE_GRE] = &mode_tunnel,      [SL_MODE_GUE] = &mode_tunnel,
};

/* Connections that a round opens. */
struct openings {
	unsigned int n;
	/* A bit for each hash: packets of one flow have the same. Many, for others rarely have. */
	uint64_t seen[SEEN_BITS / 64];
	struct {
		uint8_t at;
		const struct mode_ops *mode;
		struct conn_new c;
	} o[SL_BURST];
};

static bool opens(const struct burst *b, unsigned int at, uint8_t proto)
{
	const uint8_t mask =
		RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG;

	return proto == IPPROTO_UDP ||
	       (frame_tcp(b->pkt[at])->tcp_flags & mask) == RTE_TCP_SYN_FLAG;
}

/* The backend of a server that chooses by what the packet says. */
static __rte_noinline enum sl_drop_reason choose_by_packet(struct worker *w, struct rte_mbuf *m,
							   const struct sl_virtual_server *vs,
							   uint32_t *pick)
{
	const struct rte_udp_hdr *l4 = frame_udp(m);
	struct choose_packet p = {
		.client = sl_addr_of_v4(frame_ip(m)->src_addr),
		.client_port = l4->src_port,
	};

	if (frame_ip(m)->next_proto_id == IPPROTO_UDP) {
		p.payload = (const uint8_t *)(l4 + 1);
		p.payload_len = rte_be_to_cpu_16(l4->dgram_len) - (uint16_t)sizeof(*l4);
	}
	return choose_backend(w, vs, &p, pick);
}

/* Backend and the connection's other side. */
static enum sl_drop_reason prepare(struct worker *w, struct burst *b, unsigned int at,
				   const struct sl_virtual_server *vs, struct openings *round)
{
	const struct sl_backend *all = sl_snapshot_at(w->snapshot, vs->backends);
	struct conn_new *c = &round->o[round->n].c;
	const struct mode_ops *mode;
	enum sl_drop_reason why;
	uint32_t pick;

	why = likely(!vs->hash_key) ? choose_backend(w, vs, NULL, &pick)
				    : choose_by_packet(w, b->pkt[at], vs, &pick);
	if (unlikely(why != CHOOSE_DONE))
		return why;
	memcpy(&c->key[SL_DIR_IN], b->key[at], sizeof(c->key[SL_DIR_IN]));
	c->hash[SL_DIR_IN] = b->hash[at];
	c->virtual_server = vs->ref;
	c->backend = all[pick].ref;
	c->state = vs->proto == IPPROTO_TCP ? SL_CONN_SYN_SENT : SL_CONN_UDP;
	c->flags = sl_mode_flags[all[pick].mode] | (vs->max_mss ? SL_CONN_F_CLAMP : 0);
	mode = modes[all[pick].mode];
	why = mode->prepare(w, vs, &all[pick], c);
	if (unlikely(why != MODE_READY)) {
		claims_release(w, c->virtual_server, c->backend);
		return why;
	}
	c->hash[SL_DIR_OUT] = conn_tuple_hash(&w->conns, &c->key[SL_DIR_OUT]);
	conn_prefetch_bucket(&w->conns, c->hash[SL_DIR_OUT]);
	conn_prefetch_free(&w->conns, round->n);
	round->o[round->n].at = (uint8_t)at;
	round->o[round->n++].mode = mode;
	return GO_ON;
}

/* A packet that is this worker's and has no connection. */
static enum sl_drop_reason serve(struct worker *w, struct burst *b, unsigned int at,
				 struct openings *round)
{
	const struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);
	const struct rte_udp_hdr *ports = frame_udp(b->pkt[at]);
	const struct sl_own_address *own;
	const struct sl_virtual_server *vs;

	if (frame_bad_source(ip))
		return SL_DROP_IP_SOURCE;
	if (sl_own_address_find(w->snapshot, ip->src_addr))
		return SL_DROP_IP_SOURCE_OURS;
	vs = sl_virtual_server_find(w->snapshot, ip->dst_addr, ports->dst_port, ip->next_proto_id);
	if (!vs) {
		own = sl_own_address_find(w->snapshot, ip->dst_addr);
		return own && own->flags & SL_OWN_LOCAL ? SL_DROP_NO_CONNECTION
							: SL_DROP_NO_SERVICE;
	}
	return opens(b, at, ip->next_proto_id) ? prepare(w, b, at, vs, round)
					       : SL_DROP_NO_CONNECTION;
}

/* A former round opened its connection; or it has one that ended, which ends here. */
static bool found_now(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn *e = b->conn[at];

	if (b->again)
		e = conn_find(&w->conns, b->key[at], b->hash[at], &b->dir[at]);
	if (!e)
		return false;
	if (state_ended(&e->core)) {
		conn_close(w, &w->conns, &e->core);
		return false;
	}
	b->conn[at] = e;
	list_add(&b->hit, at);
	return true;
}

/* Whether this round has seen a packet that may be of the same flow. */
static inline bool seen(struct openings *round, uint64_t hash)
{
	unsigned int at = hash % SEEN_BITS;
	uint64_t bit = UINT64_C(1) << at % 64;

	if (round->seen[at / 64] & bit)
		return true;
	round->seen[at / 64] |= bit;
	return false;
}

/* False: it has to wait for the next round. */
static bool decide(struct worker *w, struct burst *b, unsigned int at, struct openings *round)
{
	unsigned int owner = owner_of_key(w, b->key[at]);
	enum sl_drop_reason why;

	if (owner != w->id) {
		if (b->redirected)
			burst_drop(b, at, SL_DROP_REDIRECT_LOOP);
		else
			burst_verdict(b, at, VERDICT_REDIRECT, owner);
		return true;
	}
	if (unlikely(seen(round, b->hash[at])))
		return false;
	if (found_now(w, b, at))
		return true;
	why = serve(w, b, at, round);
	if (why != GO_ON)
		burst_drop(b, at, why);
	return true;
}

static void open_all(struct worker *w, struct burst *b, const struct openings *round)
{
	for (unsigned int i = 0; i < round->n; i++) {
		const struct conn_new *c = &round->o[i].c;
		unsigned int at = round->o[i].at;
		uint32_t opened;
		int rc = conn_open(w, &w->conns, c, &opened);

		if (likely(!rc)) {
			b->conn[at] = &w->conns.entry[opened];
			b->dir[at] = SL_DIR_IN;
			list_add(&b->hit, at);
			continue;
		}
		if (round->o[i].mode->abandon)
			round->o[i].mode->abandon(w, c);
		claims_release(w, c->virtual_server, c->backend);
		burst_drop(b, at,
			   rc == -ENOSPC ? SL_DROP_CONNECTION_TABLE_FULL
					 : SL_DROP_CONNECTION_INDEX_FULL);
	}
}

void stage_schedule(struct worker *w, struct burst *b)
{
	struct openings round;
	unsigned int n = b->miss.n;

	round.n = 0;
	memset(round.seen, 0, sizeof(round.seen));
	b->hit.n = 0;
	b->miss.n = 0;
	conn_intend(w); /* ports are taken in the first pass, connections written in the second */
	for (unsigned int k = 0; k < n; k++) {
		unsigned int at = b->miss.at[k];

		if (unlikely(!w->snapshot))
			burst_drop(b, at, SL_DROP_NO_CONFIG);
		else if (unlikely(!decide(w, b, at, &round)))
			list_add(&b->miss, at);
	}
	open_all(w, b, &round);
	conn_agreed(w);
	b->again = true;
}
