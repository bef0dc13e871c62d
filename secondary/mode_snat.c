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

/* Which of the local addresses a host has, while that has ports. */
static uint32_t first_of(struct sl_span locals, uint32_t host)
{
	return sl_virtual_hash(host, 0, 0) % locals.count;
}

static void mark_echo(struct conn_new *c, uint8_t proto)
{
	if (proto != IPPROTO_ICMP)
		return;
	c->state = SL_CONN_ICMP;
	c->flags |= SL_CONN_F_ECHO;
}

static enum sl_drop_reason snat_prepare(struct worker *w, const struct sl_virtual_server *vs,
					const struct sl_backend *outside, struct conn_new *c)
{
	const struct sl_tuple *in = &c->key[SL_DIR_IN];
	struct sl_span locals = sl_local_v4(vs);
	uint32_t first = first_of(locals, in->saddr);

	(void)outside;
	c->key[SL_DIR_OUT] = (struct sl_tuple){
		.proto = in->proto,
		.saddr = in->daddr,
		.sport = in->dport,
	};
	mark_echo(c, in->proto);
	return local_endpoint_take(w, locals, local_port_group4(in->daddr), &first, c);
}

static enum sl_drop_reason snat_prepare6(struct worker *w, const struct sl_virtual_server *vs,
					 const struct sl_backend *outside, struct conn_new *c)
{
	const struct sl_tuple6 *in = &c->key6[SL_DIR_IN];
	uint32_t first = first_of(vs->local, sl_addr_fold(&in->saddr));

	(void)outside;
	c->key6[SL_DIR_OUT] = (struct sl_tuple6){
		.proto = in->proto,
		.saddr = in->daddr,
		.sport = in->dport,
	};
	mark_echo(c, in->proto);
	return local_endpoint_take6(w, vs->local, local_port_group(&in->daddr), &first, c);
}

const struct mode_ops mode_snat = {
	.prepare = snat_prepare,
	.abandon = local_endpoint_put,
	.prepare6 = snat_prepare6,
	.abandon6 = local_endpoint_put6,
};
