/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An error goes to whom it concerns: the sender of the packet that it quotes. That packet left us
 * reversed by its connection, so the reverse of the quote is a key of it, of the direction in
 * which the error travels. It leaves as other packets of that direction do, outside and inside
 * (RFC 5508 section 4.2), and belongs to the same owner. Who learns a path's MTU from it are the
 * ends: nothing is kept here. What a quote costs is bounded by the packet, once.
 *
 *   error about        outer source               outer destination   the quote becomes
 *   a reply  (IN)      FullNAT: local address     backend             the backend's reply
 *                      NAT: who sent the error
 *                      DR, tunnel: as it is       as it is            as it is
 *   a request (OUT)    virtual server             client              the client's request
 *   a tunnel's packet  the interface's            client              what was inside
 */
#include "secondary/icmp_related.h"

#include <netinet/in.h>

#include <rte_icmp.h>

#include <sluice/csum.h>
#include <sluice/snapshot.h>

#include "secondary/burst.h"
#include "secondary/frame.h"
#include "secondary/icmp.h"
#include "secondary/nexthop.h"
#include "secondary/owner.h"
#include "secondary/rewrite.h"
#include "secondary/stub.h"
#include "secondary/tunnel.h"
#include "secondary/worker.h"

#define QUOTED_L4  8  /* bytes that an error quotes at least, RFC 792 */
#define TCP_SUM_AT 18 /* bytes of a TCP header up to the checksum's end */
#define GO_ON      SL_DROP_MAX

/* A packet that an error quotes: checked to have its header and so many bytes behind it. */
struct quote {
	struct rte_ipv4_hdr *ip;
	char *l4;
	uint32_t l4_len; /* bytes that are there */
};

static enum sl_drop_reason read_quote(char *at, uint32_t len, struct quote *q)
{
	uint32_t header;

	q->ip = (struct rte_ipv4_hdr *)at;
	if (len < sizeof(*q->ip))
		return SL_DROP_ICMP_QUOTE_SHORT;
	header = rte_ipv4_hdr_len(q->ip);
	if (q->ip->version_ihl >> 4 != IPVERSION || header < sizeof(*q->ip))
		return SL_DROP_ICMP_UNRELATED;
	if (len < header + QUOTED_L4)
		return SL_DROP_ICMP_QUOTE_SHORT;
	if (q->ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		return SL_DROP_ICMP_UNRELATED; /* not the fragment that has the ports */
	q->l4 = at + header;
	q->l4_len = len - header;
	return GO_ON;
}

static struct sl_tuple tuple_of(const struct quote *q)
{
	const struct rte_udp_hdr *ports = (const struct rte_udp_hdr *)q->l4;

	return (struct sl_tuple){
		.proto = q->ip->next_proto_id,
		.saddr = q->ip->src_addr,
		.daddr = q->ip->dst_addr,
		.sport = ports->src_port,
		.dport = ports->dst_port,
	};
}

static struct sl_tuple reverse(const struct sl_tuple *k)
{
	return (struct sl_tuple){
		.proto = k->proto,
		.saddr = k->daddr,
		.daddr = k->saddr,
		.sport = k->dport,
		.dport = k->sport,
	};
}

/* The connection that has this key. NULL: the packet has its verdict. */
static struct sl_conn *find(struct worker *w, struct burst *b, unsigned int at,
			    const struct sl_tuple *k, uint8_t *dir)
{
	uint64_t key[2];
	struct sl_conn *e;
	unsigned int owner;

	memcpy(key, k, sizeof(key));
	e = conn_find(&w->conns, key, conn_hash(&w->conns, key[0], key[1]), dir);
	if (e && e->core.flags & SL_CONN_F_STUB) {
		stub_pass_on(w, b, at, &e->core, sl_owner_conn(e, w->root->seed, w->n_workers));
		return NULL;
	}
	if (e)
		return e;
	owner = owner_of(w, k);
	if (owner == w->id)
		burst_drop(b, at, SL_DROP_ICMP_UNRELATED);
	else if (b->redirected)
		burst_drop(b, at, SL_DROP_REDIRECT_LOOP);
	else
		burst_verdict(b, at, VERDICT_REDIRECT, owner);
	return NULL;
}

/* The quoted packet as its sender sent it: it came with the key of its own direction. */
static void restore_quote(const struct quote *q, const struct sl_conn *e, unsigned int came)
{
	const struct sl_tuple *k = &e->key[came];
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)q->l4;
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)q->l4;
	uint16_t back = (uint16_t)~e->core.l4_delta[came];
	uint32_t addrs = sl_csum_delta32(q->ip->src_addr, k->saddr) +
			 sl_csum_delta32(q->ip->dst_addr, k->daddr);

	q->ip->hdr_checksum = sl_csum_apply(q->ip->hdr_checksum, sl_csum_fold(addrs));
	q->ip->src_addr = k->saddr;
	q->ip->dst_addr = k->daddr;
	udp->src_port = k->sport;
	udp->dst_port = k->dport;
	if (k->proto == IPPROTO_TCP && q->l4_len >= TCP_SUM_AT)
		tcp->cksum = sl_csum_apply(tcp->cksum, back);
	else if (k->proto == IPPROTO_UDP && udp->dgram_cksum)
		udp->dgram_cksum = sl_csum_apply(udp->dgram_cksum, back);
}

/* Whether the error keeps its source: whom it concerns sees the hosts on the way to its peer. */
static bool keeps_source(const struct sl_conn *e, unsigned int dir)
{
	return (e->core.flags & SL_CONN_MODE_MASK) == SL_MODE_NAT && dir == SL_DIR_IN;
}

static void finish(struct rte_ipv4_hdr *ip, struct rte_icmp_hdr *icmp, uint32_t len)
{
	icmp->icmp_cksum = 0;
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, len);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~frame_ip_sum(ip);
}

static void translate(struct rte_mbuf *m, const struct quote *q, const struct sl_conn *e,
		      unsigned int dir, uint32_t len)
{
	struct rte_ipv4_hdr *ip = frame_ip(m);

	restore_quote(q, e, !dir);
	if (!keeps_source(e, dir))
		ip->src_addr = e->key[!dir].daddr;
	ip->dst_addr = e->key[!dir].saddr;
	ip->time_to_live--;
	finish(ip, (struct rte_icmp_hdr *)(ip + 1), len);
}

/* As its packets have it: an error travels with them. */
static uint64_t flow_hash(const struct worker *w, const struct sl_conn *e)
{
	return conn_tuple_hash(&w->conns, &e->key[SL_DIR_IN]);
}

/* By the way of the connection's packets of this direction. */
static void pass_on(struct worker *w, struct burst *b, unsigned int at, struct sl_conn *e,
		    unsigned int dir)
{
	struct rte_mbuf *m = b->pkt[at];
	uint8_t overhead =
		dir == SL_DIR_IN ? tunnel_overhead[e->core.flags & SL_CONN_MODE_MASK] : 0;
	uint8_t why = SL_DROP_NO_ROUTE;
	uint16_t to = nexthop_of(w, e, dir, &why);
	char *frame = rte_pktmbuf_mtod(m, char *);
	const struct neigh *n = &w->neighs.entry[to];

	if (to && m->pkt_len + overhead > w->frame_max[n->port])
		why = SL_DROP_TOO_BIG; /* and no error about an error, RFC 1812 section 4.3.2.7 */
	else if (to) {
		if (overhead)
			frame = tunnel_encapsulate(w, e, m, sl_addr_v4(&n->source),
						   flow_hash(w, e));
		if (neigh_send(w, to, m, frame, &why)) {
			w->stats->icmp_related++;
			burst_verdict(b, at, VERDICT_HELD, 0);
			return;
		}
	}
	burst_drop(b, at, why);
}

/* ---- about the outer packet of a tunnel of ours ---------------------------------------- */

/* The packet inside the quoted one, as far as it is there; NULL: that is no tunnel's. */
static char *inside(const struct worker *w, const struct quote *q, unsigned int *mode)
{
	const struct sl_own_address *own = sl_own_address_find(w->snapshot, q->ip->src_addr);

	if (!own || !(own->flags & SL_OWN_INTERFACE))
		return NULL;
	switch (q->ip->next_proto_id) {
	case IPPROTO_IPIP: *mode = SL_MODE_IPIP; break;
	case IPPROTO_GRE: *mode = SL_MODE_GRE; break;
	case IPPROTO_UDP: *mode = SL_MODE_GUE; break;
	default: return NULL;
	}
	return (char *)q->ip + tunnel_overhead[*mode];
}

/*
 * A router could not pass the outer packet on: the client learns what does fit inside (RFC 2003
 * section 4.1). Other errors are the tunnel's own affair.
 */
static void relay(struct worker *w, struct burst *b, unsigned int at, uint32_t len, char *inner,
		  unsigned int mode)
{
	struct rte_mbuf *m = b->pkt[at];
	struct rte_ipv4_hdr *ip = frame_ip(m);
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(ip + 1);
	uint32_t before = (uint32_t)(inner - (char *)(icmp + 1)), left;
	uint16_t mtu = rte_be_to_cpu_16(icmp->icmp_seq_nb);
	const struct sl_next_hop *hop;
	struct sl_tuple k;
	struct sl_conn *e;
	struct quote q;
	uint8_t dir;

	if (len < sizeof(*icmp) + before + sizeof(*q.ip) + QUOTED_L4 ||
	    read_quote(inner, len - (uint32_t)sizeof(*icmp) - before, &q) != GO_ON) {
		burst_drop(b, at, SL_DROP_ICMP_QUOTE_SHORT);
		return;
	}
	k = tuple_of(&q);
	e = find(w, b, at, &k, &dir);
	if (!e)
		return;
	hop = sl_route_find(w->snapshot, k.saddr);
	if ((e->core.flags & SL_CONN_MODE_MASK) != mode || icmp->icmp_type != ICMP_UNREACHABLE ||
	    icmp->icmp_code != ICMP_FRAG_NEEDED || mtu <= tunnel_overhead[mode] || !hop) {
		burst_drop(b, at, SL_DROP_ICMP_UNRELATED);
		return;
	}
	left = len - before;
	memmove(icmp + 1, inner, left - sizeof(*icmp));
	icmp->icmp_seq_nb = rte_cpu_to_be_16(mtu - tunnel_overhead[mode]);
	rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - FRAME_L4 - left));
	ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + left));
	ip->src_addr = sl_addr_v4(&hop->source);
	ip->dst_addr = k.saddr;
	ip->time_to_live--;
	finish(ip, icmp, left);
	pass_on(w, b, at, e, SL_DIR_OUT);
}

/* ---- all ------------------------------------------------------------------------------- */

void icmp_related(struct worker *w, struct burst *b, unsigned int at, uint32_t len)
{
	struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(ip + 1);
	enum sl_drop_reason why;
	struct sl_tuple sent, key;
	struct sl_conn *e;
	struct quote q;
	unsigned int mode;
	uint8_t dir;
	char *inner;

	why = read_quote((char *)(icmp + 1), len - (uint32_t)sizeof(*icmp), &q);
	if (why == GO_ON && ip->dst_addr != q.ip->src_addr)
		why = SL_DROP_ICMP_UNRELATED; /* errors go to the sender, RFC 792 */
	if (why == GO_ON && ip->time_to_live <= 1)
		why = SL_DROP_TTL_EXCEEDED;
	if (why != GO_ON) {
		burst_drop(b, at, why);
		return;
	}
	inner = inside(w, &q, &mode);
	if (inner) {
		relay(w, b, at, len, inner, mode);
		return;
	}
	sent = tuple_of(&q);
	key = reverse(&sent);
	e = find(w, b, at, &key, &dir);
	if (!e)
		return;
	if (e->core.flags & SL_CONN_F_DIRECT)
		rewrite_ttl(rte_pktmbuf_mtod(b->pkt[at], char *));
	else
		translate(b->pkt[at], &q, e, dir, len);
	pass_on(w, b, at, e, dir);
}
