/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/icmp6.h"

#include <netinet/in.h>
#include <string.h>

#include <sluice/csum.h>
#include <sluice/snapshot.h>

#include "secondary/burst.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/icmp.h"
#include "secondary/icmp_related.h"
#include "secondary/ndp.h"
#include "secondary/worker.h"

#define GO_ON    SL_DROP_MAX /* no reason to drop */
#define OWN_HOPS 64

/* Turn the request into its reply, in place, and send it back by the way it came. */
static void echo_reply(struct worker *w, struct rte_mbuf *m, struct icmp6 *icmp)
{
	struct frame6_ip *ip = frame6_ip(m);
	struct sl_addr from = frame6_source(ip), to = frame6_destination(ip);

	frame_return_mac(frame_eth(m), &w->root->port[m->port].mac);
	memcpy((char *)ip + 8, &to, sizeof(to));
	memcpy((char *)ip + 24, &from, sizeof(from));
	ip->hops = OWN_HOPS;
	icmp->type = ICMP6_ECHO_REPLY;
	icmp->checksum =
		sl_csum_apply(icmp->checksum,
			      sl_csum_fold(sl_csum_delta16(ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY)));
	w->stats->local_packets++;
	w->stats->icmp_sent++;
}

/* An address of ours that packets on this port may be for. */
static bool is_ours(const struct worker *w, const struct sl_addr *addr, unsigned int port)
{
	const struct sl_own_address *own = sl_own_address_find_addr(w->snapshot, addr);

	if (!own || sl_addr_is_v4(addr)) /* IPv4's are none over IPv6 */
		return false;
	return !(own->flags & SL_OWN_LINK) || own->port_mask & 1u << port;
}

static bool is_error(uint8_t type)
{
	return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER;
}

/* A request to who is not us, or a reply to an address that SNAT asks from. */
static bool passes(const struct worker *w, const struct sl_addr *to, const struct icmp6 *icmp)
{
	const struct sl_own_address *own = sl_own_address_find_addr(w->snapshot, to);

	if (icmp->code)
		return false;
	if (icmp->type == ICMP6_ECHO_REQUEST)
		return !own && !frame6_no_host(to);
	return icmp->type == ICMP6_ECHO_REPLY && own && own->flags & SL_OWN_LOCAL;
}

static enum sl_drop_reason check_source(const struct worker *w, const struct sl_addr *from)
{
	if (frame6_no_host(from))
		return SL_DROP_IP_SOURCE;
	return sl_own_address_find_addr(w->snapshot, from) ? SL_DROP_IP_SOURCE_OURS : GO_ON;
}

/* What is for us and not neighbour discovery: errors and echo requests. */
static void serve(struct worker *w, struct burst *b, unsigned int at, struct icmp6 *icmp,
		  uint32_t len)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_addr to = frame6_destination(frame6_ip(m));

	if (is_error(icmp->type)) {
		icmp6_related(w, b, at, icmp, len);
	} else if (icmp->type != ICMP6_ECHO_REQUEST || icmp->code) {
		burst_drop(b, at, SL_DROP_ICMP_TYPE);
	} else if (!is_ours(w, &to, m->port)) {
		burst_drop(b, at, SL_DROP_NO_SERVICE);
	} else {
		echo_reply(w, m, icmp);
		burst_verdict(b, at, VERDICT_SEND, m->port);
	}
}

static bool is_ndp(uint8_t type)
{
	return type == ICMP6_SOLICITATION || type == ICMP6_ADVERTISEMENT;
}

bool icmp6_input(struct worker *w, struct burst *b, unsigned int at, uint32_t l4, uint32_t len)
{
	struct icmp6 *icmp = rte_pktmbuf_mtod_offset(b->pkt[at], struct icmp6 *, l4);
	const struct frame6_ip *ip = frame6_ip(b->pkt[at]);
	struct sl_addr from = frame6_source(ip), to = frame6_destination(ip);
	enum sl_drop_reason why = GO_ON;

	if (len < sizeof(*icmp))
		why = SL_DROP_L4_SHORT;
	else if (!is_ndp(icmp->type)) /* whose source may be unspecified */
		why = check_source(w, &from);
	if (why == GO_ON && passes(w, &to, icmp))
		return true;
	if (why == GO_ON && frame6_sum(ip, IPPROTO_ICMPV6, icmp, len) != 0xffff)
		why = SL_DROP_L4_CHECKSUM;
	if (why != GO_ON)
		burst_drop(b, at, why);
	else if (is_ndp(icmp->type))
		ndp_input(w, b, at, l4, len);
	else
		serve(w, b, at, icmp, len);
	return false;
}

void icmp6_seal(const struct frame6_ip *ip, struct icmp6 *icmp, uint32_t len)
{
	icmp->checksum = 0;
	icmp->checksum = (uint16_t)~frame6_sum(ip, IPPROTO_ICMPV6, icmp, len);
}

void icmp6_fill(struct frame6_ip *ip, const struct sl_addr *from, const struct sl_addr *to,
		struct icmp6 what, uint16_t quote)
{
	struct icmp6 *icmp = (struct icmp6 *)(ip + 1);
	uint16_t len = (uint16_t)(sizeof(*icmp) + quote);

	*ip = (struct frame6_ip){
		.version_class_flow = FRAME6_VERSION,
		.payload_length = rte_cpu_to_be_16(len),
		.next_header = IPPROTO_ICMPV6,
		.hops = OWN_HOPS,
		.source = *from,
		.destination = *to,
	};
	*icmp = what;
	icmp6_seal(ip, icmp, len);
}

void icmp6_error(struct worker *w, const struct burst *b, unsigned int at, struct icmp6 what)
{
	struct rte_mbuf *bad = b->pkt[at], *m;
	const struct frame6_ip *bad_ip = frame6_ip(bad);
	const uint16_t headers = sizeof(*bad_ip) + sizeof(struct icmp6);
	uint16_t quote = RTE_MIN(bad->data_len - FRAME6_L3, ICMP6_ERROR_MAX - headers);
	struct sl_addr to = frame6_source(bad_ip);
	const struct sl_next_hop *hop = sl_route6_find(w->snapshot, &to);
	struct rte_ether_hdr *eth;
	struct frame6_ip *ip;
	struct icmp6 *icmp;

	if (!hop || sl_addr_is_none(&hop->source) || frame6_no_host(&to) || !icmp_within_rate(w))
		return;
	m = rte_pktmbuf_alloc(w->slot->mempool);
	if (!m) {
		count_drop(w, SL_DROP_NO_BUFFER, 1);
		return;
	}
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME6_L3 + headers + quote);
	ip = (struct frame6_ip *)(eth + 1);
	icmp = (struct icmp6 *)(ip + 1);
	*eth = *frame_eth(bad);
	frame_return_mac(eth, &w->root->port[bad->port].mac);
	memcpy(icmp + 1, bad_ip, quote);
	icmp6_fill(ip, &hop->source, &to, what, quote);
	w->stats->icmp_sent++;
	tx_put(w, bad->port, m);
}
