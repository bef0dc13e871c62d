/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FullNAT: the backend sees a local address and a local port of ours, which names the worker that
 * owns the connection, so that its answer comes back here.
 *
 * FullNAT64, towards a backend over IPv4 from a client over IPv6, is the same with local addresses
 * over IPv4. Its ports are of the same pools as those of FullNAT over IPv4.
 */
#include "secondary/local_endpoint.h"
#include "secondary/local_port.h"
#include "secondary/mode.h"
#include "secondary/worker.h"

static enum sl_drop_reason fullnat_prepare(struct worker *w, const struct sl_virtual_server *vs,
					   const struct sl_backend *backend, struct conn_new *c)
{
	c->key[SL_DIR_OUT] = (struct sl_tuple){
		.proto = c->key[SL_DIR_IN].proto,
		.saddr = sl_addr_v4(&backend->addr),
		.sport = mode_backend_port(backend, c->key[SL_DIR_IN].dport),
	};
	return local_endpoint_take(w, vs->local, local_port_group4(c->key[SL_DIR_OUT].saddr),
				   &w->local_turn, c);
}

static __rte_always_inline enum sl_drop_reason prepare6(struct worker *w, struct sl_span locals,
							const struct sl_backend *backend,
							struct conn_new *c)
{
	c->key6[SL_DIR_OUT] = (struct sl_tuple6){
		.proto = c->key6[SL_DIR_IN].proto,
		.saddr = backend->addr,
		.sport = mode_backend_port(backend, c->key6[SL_DIR_IN].dport),
	};
	return local_endpoint_take6(w, locals, local_port_group(&backend->addr), &w->local_turn, c);
}

static enum sl_drop_reason fullnat_prepare6(struct worker *w, const struct sl_virtual_server *vs,
					    const struct sl_backend *backend, struct conn_new *c)
{
	return prepare6(w, vs->local, backend, c);
}

static enum sl_drop_reason fullnat64_prepare6(struct worker *w, const struct sl_virtual_server *vs,
					      const struct sl_backend *backend, struct conn_new *c)
{
	return prepare6(w, sl_local_v4(vs), backend, c);
}

const struct mode_ops mode_fullnat = {
	.prepare = fullnat_prepare,
	.abandon = local_endpoint_put,
	.prepare6 = fullnat_prepare6,
	.abandon6 = local_endpoint_put6,
};

const struct mode_ops mode_fullnat64 = {
	.prepare6 = fullnat64_prepare6,
	.abandon6 = local_endpoint_put6,
};
