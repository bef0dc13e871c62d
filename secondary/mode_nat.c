/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NAT: the destination alone is rewritten. The backend sees the client and answers to it by way of
 * us; the answer belongs to the client's owner (owner.h), so it is found where the connection is.
 */
#include "secondary/mode.h"

#include "secondary/worker.h"

static enum sl_drop_reason nat_prepare(struct worker *w, const struct sl_virtual_server *vs,
				       const struct sl_backend *backend, struct conn_new *c)
{
	const struct sl_tuple *in = &c->key[SL_DIR_IN];

	(void)w;
	(void)vs;
	c->key[SL_DIR_OUT] = (struct sl_tuple){
		.proto = in->proto,
		.saddr = sl_addr_v4(&backend->addr),
		.sport = mode_backend_port(backend, in->dport),
		.daddr = in->saddr,
		.dport = in->sport,
	};
	c->port_pool = 0;
	return MODE_READY;
}

static enum sl_drop_reason nat_prepare6(struct worker *w, const struct sl_virtual_server *vs,
					const struct sl_backend *backend, struct conn_new *c)
{
	const struct sl_tuple6 *in = &c->key6[SL_DIR_IN];

	(void)w;
	(void)vs;
	c->key6[SL_DIR_OUT] = (struct sl_tuple6){
		.proto = in->proto,
		.saddr = backend->addr,
		.sport = mode_backend_port(backend, in->dport),
		.daddr = in->saddr,
		.dport = in->sport,
	};
	c->port_pool = 0;
	return MODE_READY;
}

const struct mode_ops mode_nat = {
	.prepare = nat_prepare,
	.prepare6 = nat_prepare6,
};
