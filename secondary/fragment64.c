/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a fragment belongs is read before its packet's headers are translated, and written into the
 * new ones after. Both families count in units of 8 bytes, so that a fragment remains one. Over
 * IPv6 it has a header more: what does not fit then is cut first, while it is of IPv4.
 */
#include "secondary/fragment64.h"

#include <netinet/in.h>

#include <rte_branch_prediction.h>

#include "secondary/burst.h"
#include "secondary/exit.h"
#include "secondary/fragment_cut.h"
#include "secondary/icmp6.h"
#include "secondary/walk6.h"
#include "secondary/worker.h"

#define GROWTH (REWRITE64_GROWTH + sizeof(struct walk6_fragment))

struct place {
	uint32_t id;
	uint16_t first; /* byte of the datagram */
	bool more;
};

static struct place read4(const struct rte_ipv4_hdr *ip)
{
	uint16_t word = rte_be_to_cpu_16(ip->fragment_offset);

	return (struct place){
		.id = rte_be_to_cpu_16(ip->packet_id),
		.first = (uint16_t)((word & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS),
		.more = word & RTE_IPV4_HDR_MF_FLAG,
	};
}

static struct place read6(const struct walk6_fragment *h)
{
	uint16_t word = rte_be_to_cpu_16(h->place);

	return (struct place){
		.id = rte_be_to_cpu_32(h->id),
		.first = word & WALK6_OFFSET_MASK,
		.more = word & WALK6_MORE,
	};
}

/* It may be fragmented further, and of the identification there is room for the low half. */
static void put4(struct rte_ipv4_hdr *ip, const struct place *p)
{
	uint16_t word = p->first / RTE_IPV4_HDR_OFFSET_UNITS;

	ip->packet_id = rte_cpu_to_be_16((uint16_t)p->id);
	ip->fragment_offset =
		rte_cpu_to_be_16((uint16_t)(word | (p->more ? RTE_IPV4_HDR_MF_FLAG : 0)));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~frame_ip_sum(ip);
}

/* Between the IPv6 header and what is behind it. */
static void put6(struct rte_mbuf *m, const struct place *p)
{
	struct walk6_fragment *h;
	struct frame6_ip *ip;
	char *frame;

	rte_pktmbuf_prepend(m, sizeof(*h));
	frame = rte_pktmbuf_mtod(m, char *);
	memmove(frame, frame + sizeof(*h), FRAME6_L4);
	ip = frame6_ip(m);
	h = (struct walk6_fragment *)(ip + 1);
	*h = (struct walk6_fragment){
		.next = ip->next_header,
		.place = rte_cpu_to_be_16((uint16_t)(p->first | (p->more ? WALK6_MORE : 0))),
		.id = rte_cpu_to_be_32(p->id),
	};
	ip->next_header = IPPROTO_FRAGMENT;
	ip->payload_length =
		rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip->payload_length) + sizeof(*h)));
}

/* ---- to the backend ------------------------------------------------------------------------- */

/* NULL: it is no fragment. */
static const struct walk6_fragment *find_header(struct rte_mbuf *m)
{
	const char *frame = rte_pktmbuf_mtod(m, const char *);
	const struct frame6_ip *ip = frame6_ip(m);
	uint32_t end = FRAME6_L4 + rte_be_to_cpu_16(ip->payload_length);
	struct walk6 walk = {.next = ip->next_header, .at = FRAME6_L4, .end = (uint16_t)end};

	if (walk6_extensions(&walk, frame) != SL_DROP_IP_FRAGMENT)
		return NULL;
	return (const struct walk6_fragment *)(frame + walk.at);
}

/* Translates the packet; or why not. */
static enum sl_drop_reason to_backend(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	const struct sl_conn6 *e = b->conn6[at];
	char *l4 = rte_pktmbuf_mtod_offset(m, char *, b->l4[at]);
	const struct walk6_fragment *h = find_header(m);
	struct place p;

	if (!h) {
		rewrite64_to_backend(m, l4, e, w->ip_id++);
		return SL_DROP_MAX;
	}
	if (l4 != (const char *)(h + 1))
		return SL_DROP_IP_EXTENSION; /* without it the other fragments would not fit */
	p = read6(h);
	if (!p.first)
		rewrite6_l4(l4, e, SL_DIR_IN);
	rewrite64_headers4(m, l4, e, 0);
	put4(frame_ip(m), &p);
	return SL_DROP_MAX;
}

/* ---- to the client -------------------------------------------------------------------------- */

/* The transport's header in the datagram's first packet, which may be all of it. */
static enum sl_drop_reason first_to_client(struct rte_mbuf *m, char *l4, const struct sl_conn6 *e,
					   bool whole)
{
	const struct sl_tuple6 *in = &e->key[SL_DIR_IN];
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)l4;
	struct rewrite64_header h = rewrite64_read4(frame_ip(m));
	struct frame6_ip ip;
	bool summed = e->core.state != SL_CONN_UDP || udp->dgram_cksum;

	if (!summed && !whole)
		return SL_DROP_L4_CHECKSUM; /* RFC 7915 section 4.5: it can't be made */
	rewrite6_l4(l4, e, SL_DIR_OUT);
	if (!summed) {
		rewrite64_put6(&ip, &h, &in->daddr, &in->saddr);
		rewrite64_sum_udp(&ip, udp);
	}
	return SL_DROP_MAX;
}

static void piece_to_client(struct rte_mbuf *m, const struct sl_conn6 *e)
{
	struct place p = read4(frame_ip(m));

	rewrite64_headers6(m, e);
	put6(m, &p);
}

/* ---- both ----------------------------------------------------------------------------------- */

static bool send_to_backend(struct worker *w, struct burst *b, unsigned int at, uint16_t neigh,
			    uint32_t mtu, uint8_t *why)
{
	*why = (uint8_t)to_backend(w, b, at);
	if (*why != SL_DROP_MAX)
		return false;
	return fragment_send(w, b->pkt[at], neigh, mtu, why);
}

static bool send_to_client(struct worker *w, struct burst *b, unsigned int at, uint16_t neigh,
			   uint32_t mtu, uint8_t *why)
{
	struct rte_mbuf *m = b->pkt[at], *piece[FRAGMENT_PIECES];
	struct place p = read4(frame_ip(m));
	unsigned int n;

	*why = SL_DROP_MAX;
	if (!p.first)
		*why = (uint8_t)first_to_client(m, rte_pktmbuf_mtod_offset(m, char *, FRAME_L4),
						b->conn6[at], !p.more);
	if (*why != SL_DROP_MAX)
		return false;
	n = fragment_cut(w, m, (uint32_t)(mtu - GROWTH), piece, why);
	if (!n)
		return false;
	for (unsigned int i = 0; i < n; i++)
		piece_to_client(piece[i], b->conn6[at]);
	fragment_send_all(w, piece, n, neigh);
	rte_pktmbuf_free(m);
	return true;
}

bool fragment64_leave(struct worker *w, struct burst *b, unsigned int at, uint16_t neigh)
{
	uint32_t mtu = w->frame_max[w->neighs.entry[neigh].port] - RTE_ETHER_HDR_LEN;
	bool in = b->dir[at] == SL_DIR_IN;
	uint8_t why;

	if (!(in ? send_to_backend : send_to_client)(w, b, at, neigh, mtu, &why)) {
		burst_drop(b, at, why);
		return false;
	}
	b->verdict[at] = VERDICT_HELD;
	return true;
}
