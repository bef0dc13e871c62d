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
	c->direct.backend = backend->addr;
	c->port_pool = 0;
	return MODE_READY;
}

static enum sl_drop_reason dr_prepare6(struct worker *w, const struct sl_virtual_server *vs,
				       const struct sl_backend *backend, struct conn_new *c)
{
	(void)w;
	(void)vs;
	c->key6[SL_DIR_OUT] = (struct sl_tuple6){
		.proto = c->key6[SL_DIR_IN].proto,
		.saddr = backend->addr,
		.sport = c->key6[SL_DIR_IN].dport,
	};
	c->port_pool = 0;
	return MODE_READY;
}

const struct mode_ops mode_dr = {
	.prepare = dr_prepare,
	.prepare6 = dr_prepare6,
};
