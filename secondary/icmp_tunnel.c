/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A router could not pass a tunnel's packet on: the client learns what does fit inside (RFC 2003
 * section 4.1, RFC 4213 section 3.4, RFC 2473 section 8.2), in an error of the family that it
 * speaks, about the packet as it left us within. Other errors are the tunnel's own affair.
 */
#include "secondary/icmp_tunnel.h"

#include <netinet/in.h>

#include <sluice/snapshot.h>

#include "secondary/burst.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/icmp.h"
#include "secondary/icmp6.h"
#include "secondary/icmp_quote.h"
#include "secondary/tunnel.h"
#include "secondary/worker.h"

#define IP_LEN sizeof(struct rte_ipv4_hdr)

/* The mode that sends such packets; SL_MODE_MAX: none does. */
static enum sl_mode mode_of(const struct worker *w, const struct quote *outer)
{
	struct sl_addr from = quote_source(outer);
	const struct sl_own_address *own = sl_own_address_find_addr(w->snapshot, &from);

	if (!own || !(own->flags & SL_OWN_INTERFACE))
		return SL_MODE_MAX;
	switch (outer->proto) {
	case IPPROTO_IPIP:
	case IPPROTO_IPV6: return SL_MODE_IPIP;
	case IPPROTO_GRE: return SL_MODE_GRE;
	case IPPROTO_UDP: return SL_MODE_GUE;
	default: return SL_MODE_MAX;
	}
}

/* Whether the connection's packets of the client leave by a tunnel of this mode to there. */
static bool leads_there(const struct related *r, enum sl_mode mode, const struct quote *outer)
{
	struct sl_addr to = quote_destination(outer);

	return sl_conn_mode(related_core(r)) == mode && sl_addr_equal(related_backend(r), &to);
}

/*
 * The frame is to be so many bytes of headers and the beginning of the quoted packet, which stands
 * behind more headers than that. Returns where IP begins.
 */
static void *make_frame(struct rte_mbuf *m, char *quoted, uint32_t headers, uint32_t quote_len)
{
	char *start = quoted - headers - FRAME_L3;

	rte_pktmbuf_adj(m, (uint16_t)(start - rte_pktmbuf_mtod(m, char *)));
	rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - FRAME_L3 - headers - quote_len));
	return start + FRAME_L3;
}

/* The packet, quoted in the `len` bytes there, was over `mtu`. False: there is no way to say it. */
static bool make_error(const struct worker *w, struct rte_mbuf *m, struct sl_conn *e, char *quoted,
		       uint32_t len, uint32_t mtu)
{
	const uint32_t headers = IP_LEN + sizeof(struct rte_icmp_hdr);
	rte_be32_t client = e->key[SL_DIR_IN].saddr;
	const struct sl_next_hop *hop = sl_route_find(w->snapshot, client);
	bool whole = ((const struct rte_ipv4_hdr *)quoted)->fragment_offset &
		     RTE_BE16(RTE_IPV4_HDR_DF_FLAG);

	if (!hop || !whole) /* nobody asked for the path's MTU */
		return false;
	len = RTE_MIN(len, (uint32_t)ICMP_ERROR_MAX - headers);
	icmp_fill(make_frame(m, quoted, headers, len), sl_addr_v4(&hop->source), client,
		  icmp_of_too_big((uint16_t)RTE_MIN(mtu, (uint32_t)UINT16_MAX)), (uint16_t)len);
	return true;
}

static bool make_error6(const struct worker *w, struct rte_mbuf *m, struct sl_conn6 *e,
			char *quoted, uint32_t len, uint32_t mtu)
{
	const uint32_t headers = sizeof(struct frame6_ip) + sizeof(struct icmp6);
	const struct sl_addr *client = &e->key[SL_DIR_IN].saddr;
	const struct sl_next_hop *hop = sl_route6_find(w->snapshot, client);

	if (!hop)
		return false;
	len = RTE_MIN(len, (uint32_t)ICMP6_ERROR_MAX - headers);
	icmp6_fill(make_frame(m, quoted, headers, len), &hop->source, client, icmp6_of_too_big(mtu),
		   (uint16_t)len);
	return true;
}

bool icmp_tunnel(struct worker *w, struct burst *b, unsigned int at, const struct quote *outer,
		 uint32_t mtu)
{
	enum sl_mode mode = mode_of(w, outer);
	unsigned int overhead, between;
	enum sl_drop_reason why = SL_DROP_ICMP_QUOTE_SHORT;
	struct related r;
	struct quote q;
	uint32_t len;
	bool made;

	if (mode == SL_MODE_MAX)
		return false;
	overhead = sl_tunnel_overheads[outer->ipv6][mode];
	between = overhead - sl_tunnel_overheads[outer->ipv6][SL_MODE_IPIP];
	len = outer->l4_len - between;
	if (outer->l4_len >= between)
		why = quote_read_any(outer->l4 + between, len, &q);
	if (why != QUOTE_READ) {
		burst_drop(b, at, why);
		return true;
	}
	if (!quote_came_by(w, b, at, &q, &r))
		return true;
	made = mtu > overhead && leads_there(&r, mode, outer) &&
	       (r.ipv6 ? make_error6(w, b->pkt[at], r.v6, q.ip, len, mtu - overhead)
		       : make_error(w, b->pkt[at], r.v4, q.ip, len, mtu - overhead));
	if (made)
		related_send(w, b, at, &r, SL_DIR_OUT);
	else
		burst_drop(b, at, SL_DROP_ICMP_UNRELATED);
	return true;
}
