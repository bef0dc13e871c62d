/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tunnels: as direct return, inside another packet to the backend. What to prepend follows from the
 * mode (tunnel.c); where from, from the way that it goes.
 */
#include "secondary/mode.h"

#include "secondary/worker.h"

static enum sl_drop_reason tunnel_prepare(struct worker *w, const struct sl_virtual_server *vs,
					  const struct sl_backend *backend, struct conn_new *c)
{
	(void)w;
	(void)vs;
	c->direct.backend = backend->addr;
	c->tunnel_port = backend->tunnel_port;
	return MODE_READY;
}

static enum sl_drop_reason tunnel_prepare6(struct worker *w, const struct sl_virtual_server *vs,
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

const struct mode_ops mode_tunnel = {
	.prepare = tunnel_prepare,
	.prepare6 = tunnel_prepare6,
};
