/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SNAT: FullNAT to wherever the packet goes. What is outside sees a local address and a local port,
 * or ICMP identifier, which names the worker. A host inside keeps its local address while that has
 * ports (paired, RFC 4787 section 4.1), and has a port for each destination.
 */
#include <netinet/in.h>

#include <sluice/virtual_server.h>

#include "secondary/local_endpoint.h"
#include "secondary/local_port.h"
#include "secondary/mode.h"
#include "secondary/worker.h"

static enum sl_drop_reason snat_prepare(struct worker *w, const struct sl_virtual_server *vs,
					const struct sl_backend *outside, struct conn_new *c)
{
	const struct sl_tuple *in = &c->key[SL_DIR_IN];
	uint32_t first = sl_virtual_hash(in->saddr, 0, 0) % vs->local.count;

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
	return local_endpoint_take(w, vs->local, local_port_group4(in->daddr), &first, c);
}

const struct mode_ops mode_snat = {
	.prepare = snat_prepare,
	.abandon = local_endpoint_put,
};
