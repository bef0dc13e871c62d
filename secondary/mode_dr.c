/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Direct return: the backend has the virtual server's address itself, gets the packet as it came
 * by its MAC, and answers the client past us. Only the client's side is seen.
 */
#include "secondary/mode.h"

#include "secondary/worker.h"

static enum sl_drop_reason dr_prepare(struct worker *w, const struct sl_virtual_server *vs,
				      const struct sl_backend *backend, struct conn_new *c)
{
	(void)w;
	(void)vs;
	c->key[SL_DIR_OUT] = (struct sl_tuple){
		.proto = c->key[SL_DIR_IN].proto,
		.saddr = sl_addr_v4(&backend->addr),
		.sport = mode_backend_port(backend, c->key[SL_DIR_IN].dport),
	};
	c->port_pool = 0;
	return MODE_READY;
}

const struct mode_ops mode_dr = {
	.prepare = dr_prepare,
};
