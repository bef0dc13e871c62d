/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SNAT: FullNAT to wherever the packet goes. What is outside sees a local address and a local port,
 * or ICMP identifier, which names the worker. A host inside keeps its local address while that has
 * ports (paired, RFC 4787 section 4.1), and has a port for each destination.
 */
#include "secondary/snat.h"

#include <netinet/in.h>

#include <rte_branch_prediction.h>

#include "secondary/local_endpoint.h"
#include "secondary/local_port.h"
#include "secondary/mode.h"
#include "secondary/worker.h"

static enum sl_drop_reason take(struct worker *w, const struct sl_virtual_server *vs,
				struct conn_new *c)
{
	uint32_t first = sl_virtual_hash(c->key[SL_DIR_IN].saddr, 0, 0) % vs->local.count;

	return local_endpoint_take(w, vs->local, snat_group(&c->key[SL_DIR_OUT]), &first, c);
}

static enum sl_drop_reason snat_prepare(struct worker *w, const struct sl_virtual_server *vs,
					const struct sl_backend *outside, struct conn_new *c)
{
	const struct sl_tuple *in = &c->key[SL_DIR_IN];
	enum sl_drop_reason why;

	(void)outside;
	c->key[SL_DIR_OUT] = (struct sl_tuple){
		.proto = in->proto,
		.saddr = in->daddr,
		.sport = in->dport,
	};
	if (in->proto == IPPROTO_ICMP) {
		c->state = SL_CONN_ICMP;
		c->flags |= SL_CONN_F_ECHO;
	}
	why = take(w, vs, c);
	if (likely(why != MODE_READY || local_port_doubtful(w, c->port_pool)))
		return why;
	local_endpoint_put(w, c);
	local_port_doubt(w, c->port_pool);
	return take(w, vs, c);
}

const struct mode_ops mode_snat = {
	.prepare = snat_prepare,
	.abandon = local_endpoint_put,
};
