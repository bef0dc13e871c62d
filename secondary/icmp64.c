/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The error is written anew before the transport header that it quotes, which stays where it is:
 *
 *	outer IP header, ICMP header, quoted IP header | ports and what else is quoted
 *
 * The outer addresses are those of any error in FullNAT (icmp_related.c), the quoted ones those
 * that the sender knows. The quoted checksum moves by the entry's difference: it stands for both
 * families. Left out are extension structures (RFC 4884) and what is more than an error of the
 * family should have. An error that the other family has no word for is dropped, as RFC 7915 says.
 */
#include "secondary/icmp64.h"

#include <netinet/in.h>

#include <rte_byteorder.h>

#include "secondary/burst.h"
#include "secondary/icmp.h"
#include "secondary/icmp6.h"
#include "secondary/icmp_quote.h"
#include "secondary/nexthop.h"
#include "secondary/rewrite64.h"
#include "secondary/worker.h"

#define NOBODY       0xff /* a field that the other family's header does not have */
#define NO_MTU       UINT32_MAX
#define LENGTH4_UNIT 4 /* bytes that RFC 4884's length counts, section 4 */
#define LENGTH6_UNIT 8

/* Codes of "destination unreachable": RFC 792, RFC 1122 section 3.2.2.1; RFC 4443 section 3.1. */
enum { ICMP_HOST = 1, ICMP_PROTOCOL = 2, ICMP_PORT = 3, ICMP_HOST_PROHIBITED = 10 };
enum { ICMP6_NO_ROUTE, ICMP6_PROHIBITED, ICMP6_BEYOND_SCOPE, ICMP6_ADDRESS, ICMP6_PORT };

#define ICMP6_NEXT_HEADER 1 /* code of ICMP6_PARAMETER: one that is not known */

/* Headers before the quoted transport. */
#define HEADERS4 (2 * sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_icmp_hdr))
#define HEADERS6 (2 * sizeof(struct frame6_ip) + sizeof(struct icmp6))

/* ---- what it says ---------------------------------------------------------------------- */

/* The MTU of the link by which the connection's packets of a direction leave. */
static uint32_t link_mtu(struct worker *w, struct sl_conn6 *e, unsigned int dir)
{
	uint8_t why;
	uint16_t to = nexthop6_of(w, e, dir, &why);

	return to ? w->frame_max[w->neighs.entry[to].port] - RTE_ETHER_HDR_LEN : NO_MTU;
}

/* Of a router that tells none: the next lower of the usual ones, RFC 1191 section 7. */
static uint32_t guessed_mtu(uint32_t length)
{
	static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

	for (unsigned int i = 0; i < RTE_DIM(plateau); i++)
		if (plateau[i] < length)
			return plateau[i];
	return 68;
}

/* To the client's packets, by one that was too big over IPv4. */
static struct icmp6 too_big6(struct worker *w, struct sl_conn6 *e, const struct rte_icmp_hdr *icmp,
			     const struct quote *q)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)q->ip;
	uint32_t mtu = icmp_too_big_mtu(icmp);

	if (!mtu)
		mtu = guessed_mtu(rte_be_to_cpu_16(ip->total_length));
	mtu = RTE_MIN(mtu, link_mtu(w, e, SL_DIR_IN)) + (uint32_t)REWRITE64_GROWTH;
	return icmp6_of_too_big(RTE_MIN(mtu, link_mtu(w, e, SL_DIR_OUT)));
}

static struct rte_icmp_hdr too_big4(struct worker *w, struct sl_conn6 *e, const struct icmp6 *icmp)
{
	uint32_t mtu = RTE_MIN(icmp6_too_big_mtu(icmp), link_mtu(w, e, SL_DIR_OUT));

	mtu = RTE_MAX(mtu, (uint32_t)FRAME6_MTU_MIN) - (uint32_t)REWRITE64_GROWTH;
	mtu = RTE_MIN(mtu, link_mtu(w, e, SL_DIR_IN));
	return icmp_of_too_big((uint16_t)RTE_MIN(mtu, (uint32_t)UINT16_MAX));
}

/* Section 4.2, code by code of "destination unreachable". */
static bool unreachable6(uint8_t code, struct icmp6 *to)
{
	to->type = ICMP6_UNREACHABLE;
	switch (code) {
	case 0:  /* net */
	case 1:  /* host */
	case 5:  /* source route failed */
	case 6:  /* net unknown */
	case 7:  /* host unknown */
	case 8:  /* source isolated */
	case 11: /* net, for this service */
	case 12: /* host, for this service */ to->code = ICMP6_NO_ROUTE; return true;
	case 2: /* protocol: the header that names it */
		*to = (struct icmp6){
			.type = ICMP6_PARAMETER,
			.code = ICMP6_NEXT_HEADER,
			.rest = rte_cpu_to_be_32(offsetof(struct frame6_ip, next_header))};
		return true;
	case 3: to->code = ICMP6_PORT; return true;
	case 9:  /* net, prohibited */
	case 10: /* host, prohibited */
	case 13: /* by a filter */
	case 15: /* precedence cut off */ to->code = ICMP6_PROHIBITED; return true;
	default: return false;
	}
}

/* By the byte of the IPv4 header in which the trouble is, that of IPv6's: section 4.2, figure 3. */
static bool parameter6(const struct rte_icmp_hdr *icmp, struct icmp6 *to)
{
	static const uint8_t field[sizeof(struct rte_ipv4_hdr)] = {
		0,      1,      4, 4, NOBODY, NOBODY, NOBODY, NOBODY, 7,  6,
		NOBODY, NOBODY, 8, 8, 8,      8,      24,     24,     24, 24};
	uint8_t at = (uint8_t)icmp->icmp_ident; /* the first byte behind the checksum */

	if ((icmp->icmp_code != 0 && icmp->icmp_code != 2) || at >= sizeof(field) ||
	    field[at] == NOBODY)
		return false;
	*to = (struct icmp6){.type = ICMP6_PARAMETER, .rest = rte_cpu_to_be_32(field[at])};
	return true;
}

/* What the error is over IPv6. False: nothing. */
static bool say6(struct worker *w, struct sl_conn6 *e, const struct rte_icmp_hdr *icmp,
		 const struct quote *q, struct icmp6 *to)
{
	*to = (struct icmp6){0};
	switch (icmp->icmp_type) {
	case ICMP_UNREACHABLE:
		if (icmp->icmp_code != ICMP_FRAG_NEEDED)
			return unreachable6(icmp->icmp_code, to);
		*to = too_big6(w, e, icmp, q);
		return true;
	case ICMP_TIME_EXCEEDED:
		*to = (struct icmp6){.type = ICMP6_TIME_EXCEEDED, .code = icmp->icmp_code};
		return true;
	case ICMP_PARAMETER: return parameter6(icmp, to);
	default: return false;
	}
}

static bool unreachable4(uint8_t code, struct rte_icmp_hdr *to)
{
	static const uint8_t codes[] = {[ICMP6_NO_ROUTE] = ICMP_HOST,
					[ICMP6_PROHIBITED] = ICMP_HOST_PROHIBITED,
					[ICMP6_BEYOND_SCOPE] = ICMP_HOST,
					[ICMP6_ADDRESS] = ICMP_HOST,
					[ICMP6_PORT] = ICMP_PORT};

	if (code >= sizeof(codes))
		return false;
	*to = (struct rte_icmp_hdr){.icmp_type = ICMP_UNREACHABLE, .icmp_code = codes[code]};
	return true;
}

/* As parameter6(), of the other way: section 5.2, figure 6. */
static bool parameter4(const struct icmp6 *icmp, struct rte_icmp_hdr *to)
{
	static const uint8_t field[] = {0, 1, NOBODY, NOBODY, 2, 2, 9, 8};
	uint32_t at = rte_be_to_cpu_32(icmp->rest);
	uint8_t byte;

	if (icmp->code == ICMP6_NEXT_HEADER) {
		*to = (struct rte_icmp_hdr){.icmp_type = ICMP_UNREACHABLE,
					    .icmp_code = ICMP_PROTOCOL};
		return true;
	}
	if (icmp->code != 0 || at >= sizeof(struct frame6_ip))
		return false;
	if (at >= sizeof(field))
		byte = at < offsetof(struct frame6_ip, destination) ? 12 : 16;
	else
		byte = field[at];
	*to = (struct rte_icmp_hdr){.icmp_type = ICMP_PARAMETER, .icmp_ident = byte};
	return byte != NOBODY;
}

static bool say4(struct worker *w, struct sl_conn6 *e, const struct icmp6 *icmp,
		 struct rte_icmp_hdr *to)
{
	*to = (struct rte_icmp_hdr){0};
	switch (icmp->type) {
	case ICMP6_UNREACHABLE: return unreachable4(icmp->code, to);
	case ICMP6_PACKET_TOO_BIG: *to = too_big4(w, e, icmp); return true;
	case ICMP6_TIME_EXCEEDED:
		*to = (struct rte_icmp_hdr){.icmp_type = ICMP_TIME_EXCEEDED,
					    .icmp_code = icmp->code};
		return true;
	case ICMP6_PARAMETER: return parameter4(icmp, to);
	default: return false;
	}
}

/* ---- what it quotes -------------------------------------------------------------------- */

/*
 * Bytes of the transport to be quoted, where at most `room` are wanted. `length`: of RFC 4884,
 * bytes of the quoted packet, behind which are extensions; 0: there are none.
 */
static uint32_t quoted(const struct quote *q, uint32_t length, uint32_t room)
{
	uint32_t header = (uint32_t)(q->l4 - q->ip), len = q->l4_len;

	if (length >= header + QUOTE_L4)
		len = RTE_MIN(len, length - header);
	return RTE_MIN(len, room);
}

/* The frame is to begin `headers` and Ethernet's before `l4`, and to end `len` behind it. */
static void *make_frame(struct rte_mbuf *m, char *l4, size_t headers, uint32_t len)
{
	char *start = l4 - headers - FRAME_L3;
	ptrdiff_t grown = rte_pktmbuf_mtod(m, char *) - start;

	if (grown > 0)
		rte_pktmbuf_prepend(m, (uint16_t)grown);
	else
		rte_pktmbuf_adj(m, (uint16_t)-grown);
	rewrite64_cut(m, (uint32_t)(FRAME_L3 + headers) + len);
	return start + FRAME_L3;
}

void icmp64_to_client(struct worker *w, struct burst *b, unsigned int at,
		      const struct rte_icmp_hdr *icmp, const struct quote *q,
		      const struct related *r)
{
	const struct sl_tuple6 *in = &r->v6->key[SL_DIR_IN];
	struct rewrite64_header outer = rewrite64_read4(frame_ip(b->pkt[at]));
	struct rewrite64_header inner = rewrite64_read4((const struct rte_ipv4_hdr *)q->ip);
	uint32_t length = (uint32_t)(icmp->icmp_ident >> 8) * LENGTH4_UNIT, len;
	struct frame6_ip *ip;
	struct icmp6 what;

	if (!say6(w, r->v6, icmp, q, &what)) {
		burst_drop(b, at, SL_DROP_ICMP_TYPE);
		return;
	}
	quote_restore_l4(q, in->sport, in->dport, r->v6->core.l4_delta[SL_DIR_IN]);
	len = quoted(q, length, ICMP6_ERROR_MAX - HEADERS6);
	ip = make_frame(b->pkt[at], q->l4, HEADERS6, len);
	outer.ttl--;
	outer.proto = IPPROTO_ICMPV6;
	outer.payload = (uint16_t)(HEADERS6 - sizeof(*ip) + len);
	rewrite64_put6((struct frame6_ip *)(q->l4 - sizeof(*ip)), &inner, &in->saddr, &in->daddr);
	rewrite64_put6(ip, &outer, &in->daddr, &in->saddr);
	*(struct icmp6 *)(ip + 1) = what;
	icmp6_seal(ip, (struct icmp6 *)(ip + 1), outer.payload);
	related_send(w, b, at, r, SL_DIR_OUT);
}

void icmp64_to_backend(struct worker *w, struct burst *b, unsigned int at, const struct icmp6 *icmp,
		       const struct quote *q, const struct related *r)
{
	const struct sl_tuple6 *out = &r->v6->key[SL_DIR_OUT];
	struct rewrite64_header outer =
		rewrite64_read6(frame6_ip(b->pkt[at]), (const char *)icmp, IPPROTO_ICMP);
	struct rewrite64_header inner =
		rewrite64_read6((const struct frame6_ip *)q->ip, q->l4, out->proto);
	uint32_t length = (icmp->rest & 0xff) * LENGTH6_UNIT, len;
	struct rte_icmp_hdr what;
	struct rte_ipv4_hdr *ip;

	if (icmp->type != ICMP6_UNREACHABLE && icmp->type != ICMP6_TIME_EXCEEDED)
		length = 0;
	if (!say4(w, r->v6, icmp, &what)) {
		burst_drop(b, at, SL_DROP_ICMP_TYPE);
		return;
	}
	quote_restore_l4(q, out->sport, out->dport, r->v6->core.l4_delta[SL_DIR_OUT]);
	len = quoted(q, length, ICMP_ERROR_MAX - HEADERS4);
	ip = make_frame(b->pkt[at], q->l4, HEADERS4, len);
	outer.ttl--;
	outer.payload = (uint16_t)(HEADERS4 - sizeof(*ip) + len);
	rewrite64_put4((struct rte_ipv4_hdr *)(q->l4 - sizeof(*ip)), &inner, 0, &out->saddr,
		       &out->daddr);
	rewrite64_put4(ip, &outer, w->ip_id++, &out->daddr, &out->saddr);
	*(struct rte_icmp_hdr *)(ip + 1) = what;
	icmp_seal(ip, outer.payload);
	related_send(w, b, at, r, SL_DIR_IN);
}
