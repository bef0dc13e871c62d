/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: packets without a connection. Another worker's go to its redirect ring; a SYN or a
 * datagram to a virtual server opens a connection here, and so does one that a SNAT policy lets
 * out; the rest gets its reason.
 *
 * In two passes, so that memory is asked for before it is needed: decide for each packet
 * (server, backend, local port), then write the connections. A packet that may belong to
 * a connection which this very round opens stays in `miss` for the next round. What
 * was opened is left in `hit`, for the stage that forwards.
 *
 * One code for both families: what reads a packet or an entry takes the family as a constant. A
 * drained worker opens no connections (drain.h).
 */
#include "secondary/burst.h"

#include <errno.h>
#include <netinet/in.h>

#include <rte_branch_prediction.h>

#include <sluice/virtual_server.h>

#include "secondary/choose.h"
#include "secondary/claims.h"
#include "secondary/conn6.h"
#include "secondary/drain.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/mode.h"
#include "secondary/owner.h"
#include "secondary/pass_on.h"
#include "secondary/persist.h"
#include "secondary/snat.h"
#include "secondary/state.h"
#include "secondary/stub.h"
#include "secondary/worker.h"

#define GO_ON     SL_DROP_MAX /* no reason to drop */
#define SEEN_BITS 1024

static const struct mode_ops *const modes[SL_MODE_MAX] = {
	[SL_MODE_FULLNAT] = &mode_fullnat,     [SL_MODE_NAT] = &mode_nat,
	[SL_MODE_DR] = &mode_direct,           [SL_MODE_IPIP] = &mode_direct,
	[SL_MODE_GRE] = &mode_direct,          [SL_MODE_GUE] = &mode_direct,
	[SL_MODE_FULLNAT64] = &mode_fullnat64, [SL_MODE_SNAT] = &mode_snat,
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

static bool opens(const struct rte_tcp_hdr *tcp, uint8_t proto)
{
	const uint8_t mask =
		RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG;

	return proto != IPPROTO_TCP || (tcp->tcp_flags & mask) == RTE_TCP_SYN_FLAG;
}

/* The backend of a server that chooses by what the packet says. */
static __rte_noinline enum sl_drop_reason choose_by_packet(struct worker *w, struct burst *b,
							   unsigned int at,
							   const struct sl_virtual_server *vs,
							   uint32_t *pick, bool ipv6)
{
	struct rte_mbuf *m = b->pkt[at];
	const struct rte_udp_hdr *l4 =
		ipv6 ? rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, b->l4[at])
		     : frame_udp(m);
	struct choose_packet p = {
		.client = ipv6 ? frame6_source(frame6_ip(m)) : sl_addr_of_v4(frame_ip(m)->src_addr),
		.client_port = l4->src_port,
	};

	if (vs->proto == IPPROTO_UDP) {
		p.payload = (const uint8_t *)(l4 + 1);
		p.payload_len = rte_be_to_cpu_16(l4->dgram_len) - (uint16_t)sizeof(*l4);
	}
	return choose_backend(w, vs, &p, pick);
}

/* The connection's other side, at a backend that is claimed. */
static __rte_always_inline enum sl_drop_reason prepare_to(struct worker *w, struct burst *b,
							  unsigned int at,
							  const struct sl_virtual_server *vs,
							  const struct sl_backend *backend,
							  struct openings *round, bool ipv6)
{
	struct conn_table *t = ipv6 ? &w->conns6 : &w->conns;
	struct conn_new *c = &round->o[round->n].c;
	uint8_t mode = sl_mode_towards(backend, ipv6), proto;
	const struct mode_ops *ops = modes[mode];
	enum sl_drop_reason why;

	if (ipv6)
		memcpy(&c->key6[SL_DIR_IN], b->key6[at], sizeof(c->key6[SL_DIR_IN]));
	else
		memcpy(&c->key[SL_DIR_IN], b->key[at], sizeof(c->key[SL_DIR_IN]));
	c->hash[SL_DIR_IN] = b->hash[at];
	c->virtual_server = vs->ref;
	c->backend = backend->ref;
	proto = ipv6 ? c->key6[SL_DIR_IN].proto : c->key[SL_DIR_IN].proto;
	c->state = proto == IPPROTO_TCP ? SL_CONN_SYN_SENT : SL_CONN_UDP;
	c->flags = sl_mode_flags[mode] | (vs->max_mss ? SL_CONN_F_CLAMP : 0);
	why = (ipv6 ? ops->prepare6 : ops->prepare)(w, vs, backend, c);
	if (unlikely(why != MODE_READY)) {
		claims_release(w, c->virtual_server, c->backend);
		return why;
	}
	c->hash[SL_DIR_OUT] = ipv6 ? conn6_tuple_hash(t, &c->key6[SL_DIR_OUT])
				   : conn_tuple_hash(t, &c->key[SL_DIR_OUT]);
	conn_prefetch_bucket(t, c->hash[SL_DIR_OUT]);
	conn_prefetch_free(t, round->n);
	round->o[round->n].at = (uint8_t)at;
	round->o[round->n++].mode = ops;
	return GO_ON;
}

/* Backend and the connection's other side. */
static __rte_always_inline enum sl_drop_reason prepare(struct worker *w, struct burst *b,
						       unsigned int at,
						       const struct sl_virtual_server *vs,
						       struct openings *round, bool ipv6)
{
	const struct sl_backend *all = sl_snapshot_at(w->snapshot, vs->backends);
	enum sl_drop_reason why;
	uint32_t pick;

	why = likely(!(vs->hash_key | vs->persistent))
		      ? choose_backend(w, vs, NULL, &pick)
		      : choose_by_packet(w, b, at, vs, &pick, ipv6);
	return likely(why == CHOOSE_DONE) ? prepare_to(w, b, at, vs, &all[pick], round, ipv6) : why;
}

/* What is wrong with a packet to an address of ours where nothing is served. */
static enum sl_drop_reason not_served(const struct sl_own_address *own)
{
	return own->flags & SL_OWN_LOCAL ? SL_DROP_NO_CONNECTION : SL_DROP_NO_SERVICE;
}

static inline enum sl_drop_reason check_source4(const struct worker *w,
						const struct rte_ipv4_hdr *ip)
{
	if (frame_bad_source(ip))
		return SL_DROP_IP_SOURCE;
	return sl_own_address_find(w->snapshot, ip->src_addr) ? SL_DROP_IP_SOURCE_OURS : GO_ON;
}

/* Over IPv4 to a local address, and of no connection over IPv6, either (lookup64.c). */
static __rte_noinline enum sl_drop_reason stray4(const struct worker *w,
						 const struct rte_ipv4_hdr *ip)
{
	enum sl_drop_reason why = check_source4(w, ip);

	return why == GO_ON ? SL_DROP_NO_CONNECTION : why;
}

/* To an address that is not ours, whose source is none that we have. */
static __rte_noinline enum sl_drop_reason let_out4(struct worker *w, struct burst *b,
						   unsigned int at, struct openings *round)
{
	struct rte_mbuf *m = b->pkt[at];
	const struct rte_ipv4_hdr *ip = frame_ip(m);
	const struct sl_snat_flow flow = {
		.source = sl_addr_of_v4(ip->src_addr),
		.destination = sl_addr_of_v4(ip->dst_addr),
		.proto = ip->next_proto_id,
		.port = (uint8_t)m->port,
	};
	const struct sl_snat_policy *p;
	enum sl_drop_reason why;

	why = snat_claim(w, &flow, opens(frame_tcp(m), ip->next_proto_id), &p);
	if (why != SNAT_CLAIMED)
		return why;
	return likely(p) ? prepare_to(w, b, at, &p->server, &p->outside, round, false)
			 : drain_pass_on(w, b, at);
}

static __rte_noinline enum sl_drop_reason let_out6(struct worker *w, struct burst *b,
						   unsigned int at, const struct sl_tuple6 *k,
						   bool opens, struct openings *round)
{
	const struct sl_snat_flow flow = {
		.source = k->saddr,
		.destination = k->daddr,
		.proto = k->proto,
		.port = (uint8_t)b->pkt[at]->port,
	};
	const struct sl_snat_policy *p;
	enum sl_drop_reason why = snat_claim(w, &flow, opens, &p);

	if (why != SNAT_CLAIMED)
		return why;
	return likely(p) ? prepare_to(w, b, at, &p->server, &p->outside, round, true)
			 : drain_pass_on6(w, b, at);
}

/* A packet that is this worker's and has no connection. */
static enum sl_drop_reason serve4(struct worker *w, struct burst *b, unsigned int at,
				  struct openings *round)
{
	const struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);
	const struct rte_udp_hdr *ports = frame_udp(b->pkt[at]);
	enum sl_drop_reason why = check_source4(w, ip);
	const struct sl_virtual_server *vs;
	const struct sl_own_address *own;

	if (why != GO_ON)
		return why;
	vs = sl_virtual_server_find(w->snapshot, ip->dst_addr, ports->dst_port, ip->next_proto_id);
	if (!vs) {
		own = sl_own_address_find(w->snapshot, ip->dst_addr);
		if (own)
			return not_served(own);
		return drain_elsewhere(w, b, at) ? GO_ON : let_out4(w, b, at, round);
	}
	if (!opens(frame_tcp(b->pkt[at]), ip->next_proto_id))
		return SL_DROP_NO_CONNECTION;
	return unlikely(w->drained) ? drain_pass_on(w, b, at) : prepare(w, b, at, vs, round, false);
}

/* The key has all that this asks for. */
static enum sl_drop_reason serve6(struct worker *w, struct burst *b, unsigned int at,
				  struct openings *round)
{
	const struct rte_tcp_hdr *tcp =
		rte_pktmbuf_mtod_offset(b->pkt[at], const struct rte_tcp_hdr *, b->l4[at]);
	const struct sl_virtual_server *vs;
	const struct sl_own_address *own;
	struct sl_tuple6 k;

	if (unlikely(burst_over_ipv4(b, at)))
		return stray4(w, frame_ip(b->pkt[at]));
	memcpy(&k, b->key6[at], sizeof(k));
	if (frame6_no_host(&k.saddr) || sl_addr_is_link_local(&k.saddr))
		return SL_DROP_IP_SOURCE; /* a link-local source has no way back through us */
	if (sl_own_address_find_addr(w->snapshot, &k.saddr))
		return SL_DROP_IP_SOURCE_OURS;
	if (frame6_no_host(&k.daddr))
		return SL_DROP_NO_SERVICE; /* no virtual server's IPv4 address, mapped, is one */
	vs = sl_virtual_server_find_addr(w->snapshot, &k.daddr, k.dport, k.proto);
	if (!vs) {
		own = sl_own_address_find_addr(w->snapshot, &k.daddr);
		if (own)
			return not_served(own);
		return drain_elsewhere6(w, b, at)
			       ? GO_ON
			       : let_out6(w, b, at, &k, opens(tcp, k.proto), round);
	}
	if (!opens(tcp, k.proto))
		return SL_DROP_NO_CONNECTION;
	return unlikely(w->drained) ? drain_pass_on6(w, b, at) : prepare(w, b, at, vs, round, true);
}

/* A former round opened its connection; or what it has ends here: it ended, or was refused. */
static __rte_always_inline bool found(struct worker *w, struct burst *b, unsigned int at, bool ipv6)
{
	struct conn_table *t = ipv6 ? &w->conns6 : &w->conns;
	struct sl_conn_core *e;

	if (b->again && ipv6)
		b->conn6[at] = conn6_find(t, b->key6[at], b->hash[at], &b->dir[at]);
	else if (b->again)
		b->conn[at] = conn_find(t, b->key[at], b->hash[at], &b->dir[at]);
	if (!b->conn[at]) /* of either family */
		return false;
	e = ipv6 ? &b->conn6[at]->core : &b->conn[at]->core;
	if (state_ended(e) || stub_refused(b, at, e)) {
		conn_close(w, t, e);
		return false;
	}
	list_add(ipv6 ? &b->hit6 : &b->hit, at);
	return true;
}

static __rte_always_inline unsigned int owner(const struct worker *w, const struct burst *b,
					      unsigned int at, bool ipv6)
{
	struct sl_tuple6 k;

	if (!ipv6)
		return owner_of_key(w, b->key[at]);
	memcpy(&k, b->key6[at], sizeof(k));
	return owner_of6(w, &k);
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
static __rte_always_inline bool decide(struct worker *w, struct burst *b, unsigned int at,
				       struct openings *round, bool ipv6)
{
	unsigned int whose = owner(w, b, at, ipv6);
	enum sl_drop_reason why;

	if (whose != w->id && !burst_given(b, at, whose)) {
		pass_to_owner(w, b, at, whose);
		return true;
	}
	if (unlikely(seen(round, b->hash[at])))
		return false;
	if (found(w, b, at, ipv6))
		return true;
	why = ipv6 ? serve6(w, b, at, round) : serve4(w, b, at, round);
	if (why != GO_ON)
		burst_drop(b, at, why);
	return true;
}

static void abandon(struct worker *w, const struct mode_ops *mode, const struct conn_new *c,
		    bool ipv6)
{
	if (ipv6 && mode->abandon6)
		mode->abandon6(w, c);
	else if (!ipv6 && mode->abandon)
		mode->abandon(w, c);
}

static __rte_always_inline void open_all(struct worker *w, struct burst *b,
					 const struct openings *round, bool ipv6)
{
	struct conn_table *t = ipv6 ? &w->conns6 : &w->conns;

	for (unsigned int i = 0; i < round->n; i++) {
		const struct conn_new *c = &round->o[i].c;
		unsigned int at = round->o[i].at;
		uint32_t opened;
		int rc = conn_open(w, t, c, &opened);

		if (likely(!rc)) {
			if (unlikely(persist_any(w)))
				persist_opened(w, t, opened);
			if (ipv6)
				b->conn6[at] = &t->entry6[opened];
			else
				b->conn[at] = &t->entry[opened];
			b->dir[at] = SL_DIR_IN;
			list_add(ipv6 ? &b->hit6 : &b->hit, at);
			continue;
		}
		claims_release(w, c->virtual_server, c->backend);
		abandon(w, round->o[i].mode, c, ipv6);
		burst_drop(b, at,
			   rc == -ENOSPC ? SL_DROP_CONNECTION_TABLE_FULL
					 : SL_DROP_CONNECTION_INDEX_FULL);
	}
}

static __rte_always_inline void schedule(struct worker *w, struct burst *b, struct list *hit,
					 struct list *miss, bool ipv6)
{
	struct openings round;
	unsigned int n = miss->n;

	round.n = 0;
	memset(round.seen, 0, sizeof(round.seen));
	hit->n = 0;
	miss->n = 0;
	conn_intend(w); /* ports are taken in the first pass, connections written in the second */
	for (unsigned int k = 0; k < n; k++) {
		unsigned int at = miss->at[k];

		if (unlikely(!decide(w, b, at, &round, ipv6)))
			list_add(miss, at);
	}
	open_all(w, b, &round, ipv6);
	conn_agreed(w);
	b->again = true;
}

void stage_schedule(struct worker *w, struct burst *b)
{
	schedule(w, b, &b->hit, &b->miss, false);
}

void stage_schedule6(struct worker *w, struct burst *b)
{
	schedule(w, b, &b->hit6, &b->miss6, true);
}
