/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/arp.h"

#include <string.h>

#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include <sluice/snapshot.h>

#include "secondary/burst.h"
#include "secondary/frame.h"
#include "secondary/worker.h"

static bool well_formed(const struct rte_arp_hdr *arp)
{
	return arp->arp_hardware == RTE_BE16(RTE_ARP_HRD_ETHER) &&
	       arp->arp_protocol == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	       arp->arp_hlen == RTE_ETHER_ADDR_LEN && arp->arp_plen == sizeof(rte_be32_t) &&
	       (arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) ||
		arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REPLY)) &&
	       rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha);
}

/* Answered here: an address of ours that this port is for. */
static bool answered_on(const struct worker *w, rte_be32_t addr, unsigned int port)
{
	const struct sl_own_address *own = sl_own_address_find(w->snapshot, addr);

	return own && own->port_mask & 1u << port;
}

/*
 * RFC 826's merge: a known sender is updated by whatever it says, an unknown one is
 * learned when it speaks to us. Every worker is told: the others may be waiting.
 */
static void learn(struct worker *w, const struct rte_arp_hdr *arp, unsigned int port, bool to_us)
{
	struct sl_neighbour_event ev = {.addr = sl_addr_of_v4(arp->arp_data.arp_sip),
					.port = (uint8_t)port,
					.to_us = to_us};

	if (!neigh_on_link(w, &ev.addr, port) || sl_own_address_find_addr(w->snapshot, &ev.addr))
		return;
	memcpy(ev.mac, &arp->arp_data.arp_sha, sizeof(ev.mac));
	neigh_learn(w, &ev);
	neigh_tell_others(w, &ev);
}

/* Turn the request into its answer, in place. */
static void reply(struct worker *w, struct rte_mbuf *m, unsigned int port)
{
	struct rte_ether_hdr *eth = frame_eth(m);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(eth + 1);
	const struct rte_ether_addr *own = &w->root->port[port].mac;
	rte_be32_t asked = arp->arp_data.arp_tip;

	rte_ether_addr_copy(&arp->arp_data.arp_sha, &eth->dst_addr);
	rte_ether_addr_copy(own, &eth->src_addr);
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = *own;
	arp->arp_data.arp_sip = asked;
	w->stats->arp_replies_sent++;
}

void arp_input(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(frame_eth(m) + 1);
	bool to_us;

	if (m->data_len < RTE_ETHER_HDR_LEN + sizeof(*arp)) {
		burst_drop(b, at, SL_DROP_FRAME_SHORT);
		return;
	}
	if (!well_formed(arp)) {
		burst_drop(b, at, SL_DROP_ARP_MALFORMED);
		return;
	}
	to_us = answered_on(w, arp->arp_data.arp_tip, m->port);
	learn(w, arp, m->port, to_us);
	if (arp->arp_opcode == RTE_BE16(RTE_ARP_OP_REPLY)) {
		w->stats->local_packets++;
		burst_verdict(b, at, VERDICT_CONSUME, 0);
	} else if (to_us) {
		w->stats->local_packets++;
		reply(w, m, m->port);
		burst_verdict(b, at, VERDICT_SEND, m->port);
	} else {
		burst_drop(b, at, SL_DROP_ARP_NOT_OURS);
	}
}

void arp_request(struct worker *w, uint8_t port, uint32_t source, uint32_t target,
		 const struct rte_ether_addr *dst)
{
	const struct rte_ether_addr *own = &w->root->port[port].mac;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->slot->mempool);
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *arp;

	if (!m) {
		count_drop(w, SL_DROP_NO_BUFFER, 1);
		return;
	}
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, sizeof(*eth) + sizeof(*arp));
	arp = (struct rte_arp_hdr *)(eth + 1);
	if (dst)
		rte_ether_addr_copy(dst, &eth->dst_addr);
	else
		memset(&eth->dst_addr, 0xff, sizeof(eth->dst_addr));
	rte_ether_addr_copy(own, &eth->src_addr);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP);
	*arp = (struct rte_arp_hdr){
		.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
		.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = sizeof(rte_be32_t),
		.arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST),
		.arp_data = {.arp_sha = *own, .arp_sip = source, .arp_tip = target},
	};
	w->stats->arp_requests_sent++;
	tx_put(w, port, m);
}
