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
 *                      SNAT: local address        who is outside      its reply
 *   a request (OUT)    virtual server             client              the client's request
 *                      SNAT: who sent the error
 *   a tunnel's packet  the interface's            client              what was inside
 *
 * Over IPv6 as over IPv4 (RFC 4443 section 2.4 says the same of errors); there the outer checksum,
 * too, is made anew. FullNAT64's, which are FullNAT's, change their family: icmp64.c.
 */
#include "secondary/icmp_related.h"

#include <netinet/in.h>

#include <rte_icmp.h>

#include <sluice/csum.h>
#include <sluice/snapshot.h>

#include "secondary/burst.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/icmp.h"
#include "secondary/icmp6.h"
#include "secondary/icmp64.h"
#include "secondary/icmp_quote.h"
#include "secondary/icmp_tunnel.h"
#include "secondary/rewrite.h"
#include "secondary/worker.h"

/* The quoted packet as its sender sent it: it came with the key of its own direction. */
static void restore_quote(const struct quote *q, const struct sl_conn *e, unsigned int came)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)q->ip;
	const struct sl_tuple *k = &e->key[came];
	uint32_t addrs =
		sl_csum_delta32(ip->src_addr, k->saddr) + sl_csum_delta32(ip->dst_addr, k->daddr);

	ip->hdr_checksum = sl_csum_apply(ip->hdr_checksum, sl_csum_fold(addrs));
	ip->src_addr = k->saddr;
	ip->dst_addr = k->daddr;
	quote_restore_l4(q, k->sport, k->dport, e->core.l4_delta[came]);
}

static void restore_quote6(const struct quote *q, const struct sl_conn6 *e, unsigned int came)
{
	struct frame6_ip *ip = (struct frame6_ip *)q->ip;
	const struct sl_tuple6 *k = &e->key[came];

	ip->source = k->saddr;
	ip->destination = k->daddr;
	quote_restore_l4(q, k->sport, k->dport, e->core.l4_delta[came]);
}

/* Whether the error keeps its source: whom it concerns sees the hosts on the way to its peer. */
static bool keeps_source(const struct sl_conn_core *e, unsigned int dir)
{
	return sl_conn_mode(e) == (dir == SL_DIR_IN ? SL_MODE_NAT : SL_MODE_SNAT);
}

static void translate(struct rte_ipv4_hdr *ip, const struct quote *q, const struct related *r,
		      uint32_t len)
{
	const struct sl_conn *e = r->v4;

	restore_quote(q, e, !r->dir);
	if (!keeps_source(&e->core, r->dir))
		ip->src_addr = e->key[!r->dir].daddr;
	ip->dst_addr = e->key[!r->dir].saddr;
	ip->time_to_live--;
	icmp_seal(ip, len);
}

static void translate6(struct frame6_ip *ip, struct icmp6 *icmp, const struct quote *q,
		       const struct related *r, uint32_t len)
{
	const struct sl_conn6 *e = r->v6;

	restore_quote6(q, e, !r->dir);
	if (!keeps_source(&e->core, r->dir))
		ip->source = e->key[!r->dir].daddr;
	ip->destination = e->key[!r->dir].saddr;
	ip->hops--;
	icmp6_seal(ip, icmp, len);
}

void icmp_related(struct worker *w, struct burst *b, unsigned int at, uint32_t len)
{
	struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(ip + 1);
	enum sl_drop_reason why;
	struct related r;
	struct quote q;

	why = quote_read((char *)(icmp + 1), len - (uint32_t)sizeof(*icmp), &q);
	if (why == QUOTE_READ && ip->dst_addr != ((const struct rte_ipv4_hdr *)q.ip)->src_addr)
		why = SL_DROP_ICMP_UNRELATED; /* errors go to the sender, RFC 792 */
	if (why == QUOTE_READ && ip->time_to_live <= 1)
		why = SL_DROP_TTL_EXCEEDED;
	if (why != QUOTE_READ) {
		burst_drop(b, at, why);
		return;
	}
	if (icmp_tunnel(w, b, at, &q, icmp_too_big_mtu(icmp)) || !quote_left_by(w, b, at, &q, &r))
		return;
	if (r.ipv6) {
		icmp64_to_client(w, b, at, icmp, &q, &r);
		return;
	}
	if (r.v4->core.flags & SL_CONN_F_DIRECT)
		rewrite_ttl((char *)ip - FRAME_L3);
	else
		translate(ip, &q, &r, len);
	related_send(w, b, at, &r, r.dir);
}

/* What is wrong with an error about `q`. */
static enum sl_drop_reason check6(const struct frame6_ip *ip, const struct quote *q)
{
	struct sl_addr from = frame6_source(ip), to = frame6_destination(ip);
	struct sl_addr sender = quote_source(q);

	if (sl_addr_is_link_local(&from))
		return SL_DROP_IP_SOURCE; /* it is not to leave its link, RFC 4291 section 2.5.6 */
	if (!sl_addr_equal(&to, &sender))
		return SL_DROP_ICMP_UNRELATED;
	return ip->hops <= 1 ? SL_DROP_TTL_EXCEEDED : QUOTE_READ;
}

void icmp6_related(struct worker *w, struct burst *b, unsigned int at, struct icmp6 *icmp,
		   uint32_t len)
{
	struct frame6_ip *ip = frame6_ip(b->pkt[at]);
	enum sl_drop_reason why;
	struct related r;
	struct quote q;

	why = quote_read6((char *)(icmp + 1), len - (uint32_t)sizeof(*icmp), &q);
	if (why == QUOTE_READ)
		why = check6(ip, &q);
	if (why != QUOTE_READ) {
		burst_drop(b, at, why);
		return;
	}
	if (icmp_tunnel(w, b, at, &q, icmp6_too_big_mtu(icmp)) || !quote_left_by(w, b, at, &q, &r))
		return;
	if (sl_conn_translates(&r.v6->core)) {
		icmp64_to_backend(w, b, at, icmp, &q, &r);
		return;
	}
	if (r.v6->core.flags & SL_CONN_F_DIRECT)
		ip->hops--;
	else
		translate6(ip, icmp, &q, &r, len);
	related_send(w, b, at, &r, r.dir);
}
