/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Direct return and tunnels: the backend has the virtual server's address itself, gets the packet
 * as it came, and answers the client past us; only the client's side is seen. Direct return sends
 * it by the backend's MAC, a tunnel inside another packet to the backend. What to prepend follows
 * from the mode in the connection's flags (tunnel.c); where from, from the way that it goes.
 */
#include "secondary/mode.h"

#include "secondary/worker.h"

static enum sl_drop_reason direct_prepare(struct worker *w, const struct sl_virtual_server *vs,
					  const struct sl_backend *backend, struct conn_new *c)
{
	(void)w;
	(void)vs;
	c->direct.backend = backend->addr;
	c->tunnel_port = backend->tunnel_port; /* of GUE; the others have no use for it */
	return MODE_READY;
}

static enum sl_drop_reason direct_prepare6(struct worker *w, const struct sl_virtual_server *vs,
					   const struct sl_backend *backend, struct conn_new *c)
{
	(void)w;
	(void)vs;
	c->key6[SL_DIR_OUT] = (struct sl_tuple6){
		.proto = c->key6[SL_DIR_IN].proto,
		.saddr = backend->addr,
		.sport = c->key6[SL_DIR_IN].dport,
	};
	c->tunnel_port = backend->tunnel_port;
	return MODE_READY;
}

const struct mode_ops mode_direct = {
	.prepare = direct_prepare,
	.prepare6 = direct_prepare6,
};
