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
	c->key[SL_DIR_OUT] = (struct sl_tuple){
		.proto = c->key[SL_DIR_IN].proto,
		.saddr = sl_addr_v4(&backend->addr),
		.sport = mode_backend_port(backend, c->key[SL_DIR_IN].dport),
		.dport = backend->tunnel_port,
	};
	c->port_pool = 0;
	return MODE_READY;
}

const struct mode_ops mode_tunnel = {
	.prepare = tunnel_prepare,
};
