/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/icmp_quote.h"

#include <netinet/in.h>

#include <sluice/csum.h>

#include "secondary/burst.h"
#include "secondary/conn6.h"
#include "secondary/drain.h"
#include "secondary/echo.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/nexthop.h"
#include "secondary/owner.h"
#include "secondary/pass_on.h"
#include "secondary/stub.h"
#include "secondary/tunnel.h"
#include "secondary/walk6.h"
#include "secondary/worker.h"

#define TCP_SUM_AT 18 /* bytes of a TCP header up to the checksum's end */

enum sl_drop_reason quote_read(char *at, uint32_t len, struct quote *q)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)at;
	uint32_t header;

	if (len < sizeof(*ip))
		return SL_DROP_ICMP_QUOTE_SHORT;
	header = rte_ipv4_hdr_len(ip);
	if (ip->version_ihl >> 4 != IPVERSION || header < sizeof(*ip))
		return SL_DROP_ICMP_UNRELATED;
	if (len < header + QUOTE_L4)
		return SL_DROP_ICMP_QUOTE_SHORT;
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		return SL_DROP_ICMP_UNRELATED; /* not the fragment that has the ports */
	*q = (struct quote){
		.proto = ip->next_proto_id, .ip = at, .l4 = at + header, .l4_len = len - header};
	return QUOTE_READ;
}

enum sl_drop_reason quote_read6(char *at, uint32_t len, struct quote *q)
{
	const struct frame6_ip *ip = (const struct frame6_ip *)at;
	struct walk6 walk = {.at = sizeof(*ip), .end = (uint16_t)len};

	if (len < sizeof(*ip))
		return SL_DROP_ICMP_QUOTE_SHORT;
	if ((ip->version_class_flow & FRAME6_VERSION_MASK) != FRAME6_VERSION)
		return SL_DROP_ICMP_UNRELATED;
	walk.next = ip->next_header;
	if (walk6_extensions(&walk, at) != WALK6_DONE)
		return SL_DROP_ICMP_UNRELATED; /* no packet of ours */
	if (len < walk.at + (uint32_t)QUOTE_L4)
		return SL_DROP_ICMP_QUOTE_SHORT;
	if (walk.next == IPPROTO_ICMPV6)
		walk.next = IPPROTO_ICMP; /* as tuples have it */
	*q = (struct quote){.ipv6 = true,
			    .proto = walk.next,
			    .ip = at,
			    .l4 = at + walk.at,
			    .l4_len = len - walk.at};
	return QUOTE_READ;
}

enum sl_drop_reason quote_read_any(char *at, uint32_t len, struct quote *q)
{
	if (!len)
		return SL_DROP_ICMP_QUOTE_SHORT;
	return (uint8_t)*at >> 4 == IPVERSION ? quote_read(at, len, q) : quote_read6(at, len, q);
}

struct sl_addr quote_source(const struct quote *q)
{
	return q->ipv6 ? frame6_source((const struct frame6_ip *)q->ip)
		       : sl_addr_of_v4(((const struct rte_ipv4_hdr *)q->ip)->src_addr);
}

struct sl_addr quote_destination(const struct quote *q)
{
	return q->ipv6 ? frame6_destination((const struct frame6_ip *)q->ip)
		       : sl_addr_of_v4(((const struct rte_ipv4_hdr *)q->ip)->dst_addr);
}

void quote_restore_l4(const struct quote *q, uint16_t sport, uint16_t dport, uint16_t delta)
{
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)q->l4;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)q->l4;
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)q->l4;

	if (q->proto == IPPROTO_ICMP) {
		icmp->icmp_ident = sport ?: dport; /* who answered has 0 */
		icmp->icmp_cksum = sl_csum_apply(icmp->icmp_cksum, (uint16_t)~delta);
		return;
	}
	udp->src_port = sport;
	udp->dst_port = dport;
	if (q->proto == IPPROTO_TCP && q->l4_len >= TCP_SUM_AT)
		tcp->cksum = sl_csum_apply(tcp->cksum, (uint16_t)~delta);
	else if (q->proto == IPPROTO_UDP && udp->dgram_cksum)
		udp->dgram_cksum = sl_csum_apply(udp->dgram_cksum, (uint16_t)~delta);
}

/* ---- whose packet it is ---------------------------------------------------------------- */

static struct sl_tuple tuple_of(const struct quote *q, bool reversed)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)q->ip;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)q->l4;
	struct echo_ports ports = {udp->src_port, udp->dst_port};

	if (q->proto == IPPROTO_ICMP)
		ports = echo_ports((const struct rte_icmp_hdr *)q->l4);
	return (struct sl_tuple){
		.proto = q->proto,
		.saddr = reversed ? ip->dst_addr : ip->src_addr,
		.daddr = reversed ? ip->src_addr : ip->dst_addr,
		.sport = reversed ? ports.dport : ports.sport,
		.dport = reversed ? ports.sport : ports.dport,
	};
}

static struct sl_tuple6 tuple6_of(const struct quote *q, bool reversed)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)q->l4;
	struct echo_ports ports = {udp->src_port, udp->dst_port};

	if (q->proto == IPPROTO_ICMP)
		ports = echo6_ports((const struct icmp6 *)q->l4);
	return (struct sl_tuple6){
		.proto = q->proto,
		.saddr = reversed ? quote_destination(q) : quote_source(q),
		.daddr = reversed ? quote_source(q) : quote_destination(q),
		.sport = reversed ? ports.dport : ports.sport,
		.dport = reversed ? ports.sport : ports.dport,
	};
}

/* It is in the table. */
static bool find4(struct worker *w, const struct sl_tuple *k, struct related *r)
{
	uint64_t key[2];

	memcpy(key, k, sizeof(key));
	r->v4 = conn_find(&w->conns, key, conn_hash(&w->conns, key[0], key[1]), &r->dir);
	return r->v4;
}

static bool find6(struct worker *w, const struct sl_tuple6 *k, struct related *r)
{
	uint64_t key[CONN6_WORDS];

	conn6_words(k, key);
	r->v6 = conn6_find(&w->conns6, key, conn6_hash(&w->conns6, key), &r->dir);
	return r->v6;
}

/* Of FullNAT64: a packet over IPv4, whose connection is in IPv6's table. */
static bool find64(struct worker *w, const struct sl_tuple *k, struct related *r)
{
	struct sl_tuple6 mapped = conn6_mapped(k);

	r->ipv6 =
		conn_count(&w->conns6) && find6(w, &mapped, r) && sl_conn_translates(&r->v6->core);
	return r->ipv6;
}

/* A packet over IPv6 that claims to be one over IPv4, by mapped addresses, or the like. */
static bool is_of_other_family(const struct quote *q, const struct related *r)
{
	return sl_conn_translates(related_core(r)) && q->ipv6 == (r->dir == SL_DIR_OUT);
}

/* It was not found here. `owner`: its owner; `has`: likewise, or whom that one passed it on to. */
static void ask_another(struct worker *w, struct burst *b, unsigned int at, unsigned int owner,
			unsigned int has)
{
	if (has == w->id || burst_given(b, at, owner))
		burst_drop(b, at, SL_DROP_ICMP_UNRELATED);
	else if (b->redirected && owner != w->id)
		burst_drop(b, at, SL_DROP_REDIRECT_LOOP);
	else
		pass_on(w, b, at, has);
}

static bool find_or_ask4(struct worker *w, struct burst *b, unsigned int at, struct sl_tuple k,
			 struct related *r)
{
	unsigned int owner;

	if (find4(w, &k, r) || find64(w, &k, r))
		return true;
	owner = owner_of(w, &k);
	ask_another(w, b, at, owner, owner == w->id ? drain_who_has(w, &k) : owner);
	return false;
}

static bool find_or_ask6(struct worker *w, struct burst *b, unsigned int at, struct sl_tuple6 k,
			 struct related *r)
{
	unsigned int owner;

	if (find6(w, &k, r))
		return true;
	owner = owner_of6(w, &k);
	ask_another(w, b, at, owner, owner == w->id ? drain_who_has6(w, &k) : owner);
	return false;
}

static bool find(struct worker *w, struct burst *b, unsigned int at, const struct quote *q,
		 bool reversed, struct related *r)
{
	r->ipv6 = q->ipv6;
	if (!(q->ipv6 ? find_or_ask6(w, b, at, tuple6_of(q, reversed), r)
		      : find_or_ask4(w, b, at, tuple_of(q, reversed), r)))
		return false;
	if (is_of_other_family(q, r)) {
		burst_drop(b, at, SL_DROP_ICMP_UNRELATED);
		return false;
	}
	if (related_core(r)->flags & SL_CONN_F_STUB) {
		if (r->ipv6)
			stub_pass_on6(w, b, at, r->v6);
		else
			stub_pass_on(w, b, at, r->v4);
		return false;
	}
	return true;
}

bool quote_came_by(struct worker *w, struct burst *b, unsigned int at, const struct quote *q,
		   struct related *r)
{
	return find(w, b, at, q, false, r);
}

bool quote_left_by(struct worker *w, struct burst *b, unsigned int at, const struct quote *q,
		   struct related *r)
{
	return find(w, b, at, q, true, r); /* reversed, it is what comes back */
}

/* ---- the way --------------------------------------------------------------------------- */

static uint16_t next_hop(struct worker *w, const struct related *r, unsigned int dir, uint8_t *why)
{
	return r->ipv6 ? nexthop6_of(w, r->v6, dir, why) : nexthop_of(w, r->v4, dir, why);
}

/* As its packets have it: an error travels with them. */
static uint64_t flow_hash(const struct worker *w, const struct related *r)
{
	return r->ipv6 ? conn6_tuple_hash(&w->conns6, &r->v6->key[SL_DIR_IN])
		       : conn_tuple_hash(&w->conns, &r->v4->key[SL_DIR_IN]);
}

void related_send(struct worker *w, struct burst *b, unsigned int at, const struct related *r,
		  unsigned int dir)
{
	struct rte_mbuf *m = b->pkt[at];
	struct tunnel t = {.conn = related_core(r), .to = related_backend(r)};
	unsigned int overhead = dir == SL_DIR_IN ? tunnel_overhead(t.conn, t.to) : 0;
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t to = next_hop(w, r, dir, &why);
	char *frame = rte_pktmbuf_mtod(m, char *);
	const struct neigh *n = &w->neighs.entry[to];

	if (to && m->pkt_len + overhead > w->frame_max[n->port]) {
		why = SL_DROP_TOO_BIG; /* and no error about an error, RFC 1812 section 4.3.2.7 */
	} else if (to) {
		if (overhead) {
			t.from = &n->source;
			t.hash = flow_hash(w, r);
			frame = tunnel_encapsulate(w, m, &t);
		}
		if (neigh_send(w, to, m, frame, &why)) {
			w->stats->icmp_related++;
			burst_verdict(b, at, VERDICT_HELD, 0);
			return;
		}
	}
	burst_drop(b, at, why);
}
