/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours: every address that the worker asks for is at one MAC, by ARP and by NDP. */
#include <netinet/in.h>

#include <rte_arp.h>

#include "secondary/icmp6.h"
#include "secondary/worker.h"
#include "tests/bench/gen_frame.h"
#include "tests/bench/gen_state.h"

/* RFC 4861 sections 4.3 and 4.4, with the one option that gives a MAC. */
struct ndp {
	struct icmp6 icmp;
	struct sl_addr target;
	uint8_t option, option_length; /* of 8 bytes */
	struct rte_ether_addr mac;
} __attribute__((packed, aligned(2)));

#define TARGET_LINK            2
#define SOLICITED_AND_OVERRIDE RTE_BE32(0x60000000)

static bool answer_arp(struct rte_mbuf *m)
{
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(frame_eth(m) + 1);
	rte_be32_t asked = arp->arp_data.arp_tip;

	if (arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST))
		return false;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = GEN_HOST_MAC;
	arp->arp_data.arp_sip = asked;
	return true;
}

/* Who asks without an address looks whether somebody has it already: nobody does. */
static bool answer_ndp(struct rte_mbuf *m)
{
	struct frame6_ip *ip = frame6_ip(m);
	struct ndp *ndp = (struct ndp *)(ip + 1);
	struct sl_addr asker = frame6_source(ip);

	if (ndp->icmp.type != ICMP6_SOLICITATION || sl_addr_is_none(&asker))
		return false;
	ip->source = ndp->target;
	ip->destination = asker;
	ndp->icmp = (struct icmp6){.type = ICMP6_ADVERTISEMENT, .rest = SOLICITED_AND_OVERRIDE};
	ndp->option = TARGET_LINK;
	ndp->mac = GEN_HOST_MAC;
	ndp->icmp.checksum = (uint16_t)~frame6_sum(ip, IPPROTO_ICMPV6, ndp, sizeof(*ndp));
	return true;
}

void gen_neighbour_got(struct rte_mbuf *m, unsigned int port)
{
	struct rte_ether_hdr *eth = frame_eth(m);

	if (!(gen_is_ipv6(m) ? answer_ndp(m) : answer_arp(m))) {
		rte_pktmbuf_free(m);
		return;
	}
	eth->dst_addr = eth->src_addr;
	eth->src_addr = GEN_HOST_MAC;
	gen_fifo_put(&gen.fifo[port], m);
}
