/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/ndp.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <sluice/msg.h>
#include <sluice/snapshot.h>

#include "secondary/burst.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/icmp6.h"
#include "secondary/worker.h"

#define HOPS        255 /* RFC 4861: so nobody off the link can send these */
#define SOURCE_LINK 1   /* options */
#define TARGET_LINK 2
#define F_SOLICITED RTE_BE32(0x40000000)
#define F_OVERRIDE  RTE_BE32(0x20000000)
#define F_ROUTER    RTE_BE32(0x80000000)
#define A_TICK      16 /* places of own_hash announced in one */
#define DAD_TICKS   SL_TICK_HZ

/* Both messages: RFC 4861 sections 4.3 and 4.4. */
struct message {
	struct icmp6 icmp; /* rest: an advertisement's flags */
	struct sl_addr target;
};

/* The only option that we send, and of those that we get the only one that is looked at. */
struct option {
	uint8_t type;
	uint8_t length; /* of 8 bytes */
	struct rte_ether_addr mac;
};
static_assert(sizeof(struct message) == 24 && sizeof(struct option) == 8, "as in a packet");

/* ---- sending ---- */

/* ff02::1:ffXX:XXXX, RFC 4291 section 2.7.1. */
static struct sl_addr solicited_node(const struct sl_addr *addr)
{
	return (struct sl_addr){
		.w = {RTE_BE32(0xff020000), 0, RTE_BE32(1), addr->w[3] | RTE_BE32(0xff000000)}};
}

static bool is_solicited_node(const struct sl_addr *addr)
{
	struct sl_addr same = solicited_node(addr);

	return sl_addr_equal(&same, addr);
}

static const struct sl_addr all_nodes = {.w = {RTE_BE32(0xff020000), 0, 0, RTE_BE32(1)}};

/* RFC 2464 section 7. */
static struct rte_ether_addr multicast_mac(const struct sl_addr *addr)
{
	struct rte_ether_addr mac = {{0x33, 0x33}};

	memcpy(&mac.addr_bytes[2], &addr->w[3], sizeof(addr->w[3]));
	return mac;
}

struct sending {
	uint8_t port;
	uint8_t type;
	uint32_t flags;
	struct sl_addr from, to, target;
	const struct rte_ether_addr *mac; /* NULL: the multicast one of `to` */
};

/* The option with our MAC is left out only where the source is unspecified: RFC 4861 section 4.3.
 */
static void send_message(struct worker *w, const struct sending *s)
{
	const struct rte_ether_addr *own = &w->root->port[s->port].mac;
	uint16_t len =
		sizeof(struct message) + (sl_addr_is_none(&s->from) ? 0 : sizeof(struct option));
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->slot->mempool);
	struct message *message;
	struct rte_ether_hdr *eth;
	struct frame6_ip *ip;

	if (!m) {
		count_drop(w, SL_DROP_NO_BUFFER, 1);
		return;
	}
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME6_L4 + len);
	ip = (struct frame6_ip *)(eth + 1);
	message = (struct message *)(ip + 1);
	eth->dst_addr = s->mac ? *s->mac : multicast_mac(&s->to);
	eth->src_addr = *own;
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6);
	*ip = (struct frame6_ip){
		.version_class_flow = FRAME6_VERSION,
		.payload_length = rte_cpu_to_be_16(len),
		.next_header = IPPROTO_ICMPV6,
		.hops = HOPS,
		.source = s->from,
		.destination = s->to,
	};
	*message =
		(struct message){.icmp = {.type = s->type, .rest = s->flags}, .target = s->target};
	if (len > sizeof(*message))
		*(struct option *)(message + 1) = (struct option){
			.type = s->type == ICMP6_SOLICITATION ? SOURCE_LINK : TARGET_LINK,
			.length = 1,
			.mac = *own};
	message->icmp.checksum = (uint16_t)~frame6_sum(ip, IPPROTO_ICMPV6, message, len);
	*(s->type == ICMP6_SOLICITATION ? &w->stats->ndp_solicitations_sent
					: &w->stats->ndp_advertisements_sent) += 1;
	tx_put(w, s->port, m);
}

void ndp_solicit(struct worker *w, uint8_t port, const struct sl_addr *source,
		 const struct sl_addr *target, const struct rte_ether_addr *dst)
{
	struct sending s = {.port = port,
			    .type = ICMP6_SOLICITATION,
			    .from = *source,
			    .to = dst ? *target : solicited_node(target),
			    .target = *target,
			    .mac = dst};

	send_message(w, &s);
}

/* To who asked; to all when who asks has no address yet. */
static void advertise(struct worker *w, uint8_t port, const struct sl_addr *target,
		      const struct sl_addr *to, const struct rte_ether_addr *mac)
{
	bool all = sl_addr_is_none(to);
	struct sending s = {.port = port,
			    .type = ICMP6_ADVERTISEMENT,
			    .flags = F_ROUTER | F_OVERRIDE | (all ? 0 : F_SOLICITED),
			    .from = *target,
			    .to = all ? all_nodes : *to,
			    .target = *target,
			    .mac = all ? NULL : mac};

	send_message(w, &s);
}

/* ---- announcing ---- */

static void announce_on(struct worker *w, const struct sl_own_address *own, uint8_t port)
{
	static const struct sl_addr none;

	if (w->announcing.round == 0)
		ndp_solicit(w, port, &none, &own->addr, NULL);
	else
		advertise(w, port, &own->addr, &none, NULL);
}

static void announce(struct worker *w, const struct sl_own_address *own)
{
	if (!own->flags || sl_addr_is_v4(&own->addr))
		return;
	for (unsigned int port = 0; port < w->n_ports; port++)
		if (own->port_mask & 1u << port)
			announce_on(w, own, (uint8_t)port);
}

void ndp_tick(struct worker *w)
{
	struct ndp_announcing *a = &w->announcing;
	const struct sl_own_address *own = sl_snapshot_at(w->snapshot, w->snapshot->own_hash);
	uint32_t count = w->snapshot->own_hash.count;

	if (w->id != 0)
		return;
	if (a->epoch != w->snapshot->own_epoch)
		*a = (struct ndp_announcing){.epoch = w->snapshot->own_epoch};
	if (a->round == 2 || a->due > w->clock.tick)
		return;
	for (unsigned int i = 0; i < A_TICK && a->at < count; i++)
		announce(w, &own[a->at++]);
	if (a->at < count)
		return;
	a->at = 0;
	a->round++;
	a->due = w->clock.tick + DAD_TICKS;
}

/* ---- hearing ---- */

/* The MAC in the option of this type; NULL when there is none. */
static const struct rte_ether_addr *find_option(const struct message *message, uint32_t len,
						uint8_t type)
{
	const char *at = (const char *)(message + 1), *end = (const char *)message + len;

	for (; at < end; at += ((const struct option *)at)->length * 8) {
		const struct option *o = (const struct option *)at;

		if (o->type == type && o->length == 1 && rte_is_valid_assigned_ether_addr(&o->mac))
			return &o->mac;
	}
	return NULL;
}

/* RFC 4861 sections 7.1.1 and 7.1.2: options fill the message, none of them is empty. */
static bool options_fit(const struct message *message, uint32_t len)
{
	const uint8_t *at = (const uint8_t *)(message + 1), *end = (const uint8_t *)message + len;

	while (at < end) {
		if (end - at < 8 || !at[1] || at[1] * 8 > end - at)
			return false;
		at += at[1] * 8;
	}
	return true;
}

static bool well_formed(const struct frame6_ip *ip, const struct message *message, uint32_t len)
{
	struct sl_addr from = frame6_source(ip), to = frame6_destination(ip), target;

	if (ip->hops != HOPS || message->icmp.code || len < sizeof(*message) ||
	    !options_fit(message, len))
		return false;
	memcpy(&target, &message->target, sizeof(target));
	if (frame6_multicast(&target) || frame6_multicast(&from))
		return false;
	if (message->icmp.type == ICMP6_ADVERTISEMENT)
		return !frame6_multicast(&to) || !(message->icmp.rest & F_SOLICITED);
	return !sl_addr_is_none(&from) ||
	       (is_solicited_node(&to) && !find_option(message, len, SOURCE_LINK));
}

/* Every worker is told: the others may be waiting. */
static void learn(struct worker *w, const struct sl_addr *addr, const struct rte_ether_addr *mac,
		  uint8_t port, bool to_us)
{
	struct sl_neighbour_event ev = {.addr = *addr, .port = port, .to_us = to_us};

	if (!mac || sl_addr_is_none(addr) || !neigh_on_link(w, addr, port) ||
	    sl_own_address_find_addr(w->snapshot, addr))
		return;
	memcpy(ev.mac, mac, sizeof(ev.mac));
	neigh_learn(w, &ev);
	neigh_tell_others(w, &ev);
}

static void solicitation(struct worker *w, struct burst *b, unsigned int at,
			 const struct message *message, uint32_t len)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_addr from = frame6_source(frame6_ip(m)), target;
	const struct sl_own_address *own;

	memcpy(&target, &message->target, sizeof(target));
	own = sl_own_address_find_addr(w->snapshot, &target);
	if (!own || !(own->port_mask & 1u << m->port)) {
		burst_drop(b, at, SL_DROP_NDP_NOT_OURS);
		return;
	}
	learn(w, &from, find_option(message, len, SOURCE_LINK), (uint8_t)m->port, true);
	advertise(w, (uint8_t)m->port, &target, &from, &frame_eth(m)->src_addr);
	w->stats->local_packets++;
	burst_verdict(b, at, VERDICT_CONSUME, 0);
}

static void advertisement(struct worker *w, struct burst *b, unsigned int at,
			  const struct message *message, uint32_t len)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_addr target;

	memcpy(&target, &message->target, sizeof(target));
	if (sl_own_address_find_addr(w->snapshot, &target))
		w->stats->address_conflicts++;
	else if (message->icmp.rest & (F_OVERRIDE | F_SOLICITED))
		learn(w, &target, find_option(message, len, TARGET_LINK), (uint8_t)m->port, false);
	w->stats->local_packets++;
	burst_verdict(b, at, VERDICT_CONSUME, 0);
}

void ndp_input(struct worker *w, struct burst *b, unsigned int at, uint32_t l4, uint32_t len)
{
	const struct message *message =
		rte_pktmbuf_mtod_offset(b->pkt[at], const struct message *, l4);

	if (!well_formed(frame6_ip(b->pkt[at]), message, len))
		burst_drop(b, at, SL_DROP_NDP_MALFORMED);
	else if (message->icmp.type == ICMP6_SOLICITATION)
		solicitation(w, b, at, message, len);
	else
		advertisement(w, b, at, message, len);
}
