/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/icmp.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <sluice/csum.h>
#include <sluice/snapshot.h>

#include "secondary/burst.h"
#include "secondary/frame.h"
#include "secondary/icmp_related.h"
#include "secondary/worker.h"

#define GO_ON       SL_DROP_MAX /* no reason to drop */
#define OWN_TTL     64
#define ERRORS_RATE 100 /* ICMP errors a second and worker, RFC 1812 section 4.3.2.8 */
#define QUOTED      8   /* bytes of payload quoted after the IP header, RFC 792 */

static void finish_ip(struct rte_ipv4_hdr *ip)
{
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~frame_ip_sum(ip);
}

void icmp_seal(struct rte_ipv4_hdr *ip, uint32_t len)
{
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(ip + 1);

	icmp->icmp_cksum = 0;
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, len);
	finish_ip(ip);
}

void icmp_fill(struct rte_ipv4_hdr *ip, rte_be32_t from, rte_be32_t to, struct rte_icmp_hdr what,
	       uint16_t quote)
{
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(ip + 1);

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + sizeof(*icmp) + quote)),
		.time_to_live = OWN_TTL,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = from,
		.dst_addr = to,
	};
	*icmp = what;
	icmp_seal(ip, sizeof(*icmp) + quote);
}

static bool bad_checksum(const struct rte_icmp_hdr *icmp, uint32_t len)
{
	return rte_raw_cksum(icmp, len) != 0xffff;
}

/* Turn the request into its reply, in place, and send it back by the way it came. */
static void echo_reply(struct worker *w, struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = frame_ip(m);
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)(ip + 1);
	rte_be32_t asked = ip->dst_addr;

	frame_return_mac(frame_eth(m), &w->root->port[m->port].mac);
	ip->dst_addr = ip->src_addr;
	ip->src_addr = asked;
	ip->time_to_live = OWN_TTL;
	finish_ip(ip);
	icmp->icmp_type = RTE_IP_ICMP_ECHO_REPLY;
	icmp->icmp_cksum = sl_csum_apply(
		icmp->icmp_cksum,
		sl_csum_fold(sl_csum_delta16(RTE_IP_ICMP_ECHO_REQUEST, RTE_IP_ICMP_ECHO_REPLY)));
	w->stats->local_packets++;
	w->stats->icmp_sent++;
}

/* Source quench is dead (RFC 6633), and redirects are for hosts. */
static bool is_error(uint8_t type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER;
}

/* A request to who is not us, or a reply to an address that SNAT asks from. */
static bool passes(const struct worker *w, const struct rte_ipv4_hdr *ip,
		   const struct rte_icmp_hdr *icmp)
{
	const struct sl_own_address *own = sl_own_address_find(w->snapshot, ip->dst_addr);

	if (icmp->icmp_code)
		return false;
	if (icmp->icmp_type == RTE_IP_ICMP_ECHO_REQUEST)
		return !own;
	return icmp->icmp_type == RTE_IP_ICMP_ECHO_REPLY && own && own->flags & SL_OWN_LOCAL;
}

static enum sl_drop_reason check_source(const struct worker *w, const struct rte_ipv4_hdr *ip)
{
	if (frame_bad_source(ip))
		return SL_DROP_IP_SOURCE;
	return sl_own_address_find(w->snapshot, ip->src_addr) ? SL_DROP_IP_SOURCE_OURS : GO_ON;
}

/* ICMP that is for us. */
static void serve(struct worker *w, struct burst *b, unsigned int at, uint32_t len)
{
	struct rte_mbuf *m = b->pkt[at];
	struct rte_ipv4_hdr *ip = frame_ip(m);
	const struct rte_icmp_hdr *icmp = (const struct rte_icmp_hdr *)(ip + 1);

	if (bad_checksum(icmp, len))
		burst_drop(b, at, SL_DROP_L4_CHECKSUM);
	else if (is_error(icmp->icmp_type))
		icmp_related(w, b, at, len);
	else if (icmp->icmp_type != RTE_IP_ICMP_ECHO_REQUEST || icmp->icmp_code != 0)
		burst_drop(b, at, SL_DROP_ICMP_TYPE);
	else {
		echo_reply(w, m);
		burst_verdict(b, at, VERDICT_SEND, m->port);
	}
}

bool icmp_input(struct worker *w, struct burst *b, unsigned int at, uint32_t len)
{
	const struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);
	const struct rte_icmp_hdr *icmp = (const struct rte_icmp_hdr *)(ip + 1);
	enum sl_drop_reason why;

	if (len < sizeof(*icmp))
		why = SL_DROP_L4_SHORT;
	else
		why = check_source(w, ip);
	if (why == GO_ON && passes(w, ip, icmp))
		return true;
	if (why == GO_ON)
		serve(w, b, at, len);
	else
		burst_drop(b, at, why);
	return false;
}

bool icmp_within_rate(struct worker *w)
{
	uint32_t second = w->clock.tick / SL_TICK_HZ;

	if (second != w->icmp_second) {
		w->icmp_second = second;
		w->icmp_tokens = ERRORS_RATE;
	}
	if (!w->icmp_tokens)
		return false;
	w->icmp_tokens--;
	return true;
}

/* The address to speak from: that of the interface towards the sender. */
static rte_be32_t speak_from(const struct worker *w, rte_be32_t to)
{
	const struct sl_next_hop *hop = sl_route_find(w->snapshot, to);

	return hop ? sl_addr_v4(&hop->source) : 0;
}

static void send_error(struct worker *w, const struct burst *b, unsigned int at,
		       struct rte_icmp_hdr what)
{
	struct rte_mbuf *bad = b->pkt[at], *m;
	const struct rte_ipv4_hdr *bad_ip = frame_ip(bad);
	rte_be32_t source = speak_from(w, bad_ip->src_addr);
	const uint16_t quote = sizeof(*bad_ip) + QUOTED;
	struct rte_ether_hdr *eth;
	struct rte_ipv4_hdr *ip;
	struct rte_icmp_hdr *icmp;

	if (!source || !icmp_within_rate(w))
		return;
	m = rte_pktmbuf_alloc(w->slot->mempool);
	if (!m) {
		count_drop(w, SL_DROP_NO_BUFFER, 1);
		return;
	}
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME_L4 + sizeof(*icmp) + quote);
	ip = (struct rte_ipv4_hdr *)(eth + 1);
	icmp = (struct rte_icmp_hdr *)(ip + 1);
	*eth = *frame_eth(bad);
	frame_return_mac(eth, &w->root->port[bad->port].mac);
	memcpy(icmp + 1, bad_ip, quote);
	icmp_fill(ip, source, bad_ip->src_addr, what, quote);
	w->stats->icmp_sent++;
	tx_put(w, bad->port, m);
}

void icmp_error(struct worker *w, const struct burst *b, unsigned int at, uint8_t type,
		uint8_t code)
{
	send_error(w, b, at, (struct rte_icmp_hdr){.icmp_type = type, .icmp_code = code});
}

void icmp_too_big(struct worker *w, const struct burst *b, unsigned int at, uint16_t mtu)
{
	send_error(w, b, at, icmp_of_too_big(mtu));
}
