/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rte_flow: a rule for each local address of IPv4, protocol and value of the port's owner
 * bits sends the packet to the owner's queue; clients are spread by RSS. A device has it
 * when it takes such a rule: the driver validates one for an address nobody has.
 */
#include "primary/steering.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include <sluice/owner.h>

#include <rte_flow.h>

#define NOBODYS_ADDRESS RTE_BE32(RTE_IPV4(192, 0, 2, 0)) /* TEST-NET-1, RFC 5737 */

/* One rule, with all that its pattern points to. Ports lie alike in TCP and UDP. */
struct rule {
	struct rte_flow_attr attr;
	struct rte_flow_item_ipv4 ip, ip_mask;
	union {
		struct rte_flow_item_tcp tcp;
		struct rte_flow_item_udp udp;
	} l4, l4_mask;
	struct rte_flow_action_queue queue;
	struct rte_flow_item pattern[4];
	struct rte_flow_action action[2];
};

static void rule_fill(struct rule *r, uint32_t addr, uint8_t proto, uint16_t bits,
		      unsigned int n_workers)
{
	rte_be16_t mask = rte_cpu_to_be_16(sl_owner_port_mask(n_workers));
	bool tcp = proto == IPPROTO_TCP;

	*r = (struct rule){.attr = {.ingress = 1}};
	r->ip.hdr.dst_addr = addr;
	r->ip_mask.hdr.dst_addr = UINT32_MAX;
	*(tcp ? &r->l4.tcp.hdr.dst_port : &r->l4.udp.hdr.dst_port) = rte_cpu_to_be_16(bits);
	*(tcp ? &r->l4_mask.tcp.hdr.dst_port : &r->l4_mask.udp.hdr.dst_port) = mask;
	r->queue.index = sl_owner_local_port(bits, n_workers);
	r->pattern[0].type = RTE_FLOW_ITEM_TYPE_ETH;
	r->pattern[1] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &r->ip, .mask = &r->ip_mask};
	r->pattern[2] = (struct rte_flow_item){.type = tcp ? RTE_FLOW_ITEM_TYPE_TCP
							   : RTE_FLOW_ITEM_TYPE_UDP,
					       .spec = &r->l4,
					       .mask = &r->l4_mask};
	r->pattern[3].type = RTE_FLOW_ITEM_TYPE_END;
	r->action[0] =
		(struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &r->queue};
	r->action[1].type = RTE_FLOW_ACTION_TYPE_END;
}

static int flow_attach(struct steering *s)
{
	struct rte_flow_error error;
	struct rule rule;
	int rc = steering_rss.attach(s);

	if (rc)
		return rc;
	rule_fill(&rule, NOBODYS_ADDRESS, IPPROTO_TCP, 0, s->root->n_workers);
	rc = rte_flow_validate(s->port_id, &rule.attr, rule.pattern, rule.action, &error);
	return rc ? -ENOTSUP : 0;
}

static void flow_detach(struct steering *s)
{
	struct rte_flow_error error;

	for (unsigned int i = 0; i < s->n_flows; i++)
		rte_flow_destroy(s->port_id, s->flow[i], &error);
	free(s->flow);
	s->flow = NULL;
	s->n_flows = 0;
}

static int add_rules(struct steering *s, uint32_t addr)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	unsigned int n = s->root->n_workers;
	struct rte_flow_error error;
	struct rule rule;

	for (unsigned int p = 0; p < RTE_DIM(protos); p++) {
		for (unsigned int bits = 0; bits <= sl_owner_port_mask(n); bits++) {
			struct rte_flow *flow;

			rule_fill(&rule, addr, protos[p], bits, n);
			flow = rte_flow_create(s->port_id, &rule.attr, rule.pattern, rule.action,
					       &error);
			if (!flow)
				return -ENOSPC;
			s->flow[s->n_flows++] = flow;
		}
	}
	return 0;
}

static bool has_rules(const struct steering_address *address)
{
	return address->by == STEERING_BY_LOCAL_PORT && sl_addr_is_v4(&address->addr);
}

/* A device that is full keeps the rules that it took: they are right, only not all. */
static int flow_refresh(struct steering *s, const struct steering_addresses *own)
{
	size_t each = 2 * (sl_owner_port_mask(s->root->n_workers) + 1u), rules = 0;
	int rc = 0;

	for (uint32_t i = 0; i < own->n; i++)
		rules += has_rules(&own->address[i]) ? each : 0;
	flow_detach(s);
	s->flow = calloc(rules + 1, sizeof(struct rte_flow *));
	if (!s->flow)
		return -ENOMEM;
	for (uint32_t i = 0; i < own->n && !rc; i++)
		if (has_rules(&own->address[i]))
			rc = add_rules(s, sl_addr_v4(&own->address[i].addr));
	return rc;
}

const struct steering_ops steering_flow = {
	.kind = SL_STEERING_FLOW,
	.name = "flow",
	.attach = flow_attach,
	.refresh = flow_refresh,
	.detach = flow_detach,
};
