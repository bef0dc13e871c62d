/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/checkpoint_check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/owner.h>
#include <sluice/shm.h>
#include <sluice/snat.h>

#include "secondary/local_port.h"
#include "secondary/owner.h"
#include "secondary/worker.h"

void checkpoint_known_free(struct checkpoint_known *k)
{
	free(k->virtual_server);
	free(k->backend);
	free(k->local);
}

static void known_add_snat(const struct sl_snapshot *s, struct checkpoint_known *k)
{
	const struct sl_snat_policy *p = sl_snapshot_at(s, s->snat_policies);

	for (uint32_t i = 0; i < s->snat_policies.count; i++) {
		k->virtual_server[SL_REF_ID(p[i].server.ref)] = p[i].server.ref;
		k->backend[SL_REF_ID(p[i].outside.ref)] = p[i].outside.ref;
	}
}

int checkpoint_known_fill(const struct worker *w, struct checkpoint_known *k)
{
	const struct sl_snapshot *s = w->snapshot;
	const struct sl_virtual_server *v = sl_snapshot_at(s, s->virtual_servers);
	const struct sl_backend *b = sl_snapshot_at(s, s->backends);
	const struct sl_local_address *l = sl_snapshot_at(s, s->local_addresses);

	k->virtual_server = malloc(w->root->max_virtual_servers * sizeof(uint32_t));
	k->backend = malloc(w->root->max_backends * sizeof(uint32_t));
	k->local = calloc(w->root->max_local_addresses, sizeof(*k->local));
	if (!k->virtual_server || !k->backend || !k->local)
		return -ENOMEM;
	memset(k->virtual_server, 0xff, w->root->max_virtual_servers * sizeof(uint32_t));
	memset(k->backend, 0xff, w->root->max_backends * sizeof(uint32_t));
	for (uint32_t i = 0; i < s->virtual_servers.count; i++)
		k->virtual_server[SL_REF_ID(v[i].ref)] = v[i].ref;
	for (uint32_t i = 0; i < s->backends.count; i++)
		k->backend[SL_REF_ID(b[i].ref)] = b[i].ref;
	for (uint32_t i = 0; i < s->local_addresses.count; i++)
		k->local[SL_REF_ID(l[i].ref)] = l[i].addr;
	known_add_snat(s, k);
	return 0;
}

/* What of an entry of either family has to be checked. */
struct endpoints {
	uint8_t proto[2];
	struct sl_addr local;
	bool other_family;         /* the backend's side is of the other family than the client's */
	uint16_t local_port;       /* host order */
	uint32_t group;            /* of local ports */
	bool reply_to_client;      /* what comes back goes to the client's endpoint */
	unsigned int client_owner; /* of what the client sends */
};

static struct endpoints endpoints4(const struct worker *w, const struct sl_conn *e)
{
	const struct sl_tuple *in = &e->key[SL_DIR_IN], *out = &e->key[SL_DIR_OUT];
	bool direct = e->core.flags & SL_CONN_F_DIRECT;

	return (struct endpoints){
		.proto = {in->proto, direct ? in->proto : out->proto},
		.local = sl_addr_of_v4(out->daddr),
		.local_port = rte_be_to_cpu_16(out->dport),
		.group = local_port_group4(out->saddr),
		.reply_to_client = out->daddr == in->saddr && out->dport == in->sport,
		.client_owner = sl_owner_conn(e, w->root->seed, w->n_workers),
	};
}

static struct endpoints endpoints6(const struct worker *w, const struct sl_conn6 *e)
{
	const struct sl_tuple6 *in = &e->key[SL_DIR_IN], *out = &e->key[SL_DIR_OUT];

	return (struct endpoints){
		.proto = {in->proto, out->proto},
		.local = out->daddr,
		.other_family = sl_addr_is_v4(&out->saddr),
		.local_port = rte_be_to_cpu_16(out->dport),
		.group = local_port_group(&out->saddr),
		.reply_to_client =
			sl_addr_equal(&out->daddr, &in->saddr) && out->dport == in->sport,
		.client_owner = sl_owner_conn6(e, w->root->seed, w->n_workers),
	};
}

/* Its local port is one of a pool that its group uses. */
static bool port_is_configured(const struct worker *w, const struct checkpoint_known *k,
			       const struct sl_conn_core *e, const struct endpoints *ends)
{
	uint32_t pools = w->root->port_pools_per_address;

	return e->port_pool < w->slot->port_pools &&
	       e->port_pool % pools == local_port_pick(ends->group, pools) &&
	       sl_addr_equal(&k->local[e->port_pool / pools], &ends->local);
}

static bool is_configured(const struct worker *w, const struct checkpoint_known *k,
			  const struct sl_conn_core *e, const struct endpoints *ends)
{
	uint32_t vs = SL_REF_ID(e->virtual_server), backend = SL_REF_ID(e->backend);

	return vs < w->root->max_virtual_servers && k->virtual_server[vs] == e->virtual_server &&
	       backend < w->root->max_backends && k->backend[backend] == e->backend &&
	       (!sl_conn_has_local_port(e) || port_is_configured(w, k, e, ends));
}

/* What comes back leads to this worker, or to a stub of it. */
static bool reply_is_ours(const struct worker *w, const struct sl_conn_core *e,
			  const struct endpoints *ends)
{
	unsigned int owner = sl_owner_local_port(ends->local_port, w->n_workers);

	if (e->flags & SL_CONN_F_DIRECT)
		return !(e->flags & SL_CONN_F_MOVED);
	if (sl_conn_translates(e) != ends->other_family)
		return false;
	if (sl_conn_has_local_port(e))
		return ends->local_port >= SL_LOCAL_PORT_MIN &&
		       (owner != w->id) == !!(e->flags & SL_CONN_F_MOVED);
	return ends->reply_to_client && !(e->flags & SL_CONN_F_MOVED);
}

static bool connection_is_ours(const struct worker *w, const struct sl_conn_core *e,
			       const struct endpoints *ends)
{
	bool moved = e->flags & SL_CONN_F_MOVED;

	/* who owns its client may have been drained, and have a stub for it */
	return e->state != SL_CONN_NONE && e->state < SL_CONN_STATE_MAX &&
	       (e->state == SL_CONN_ICMP) == (ends->proto[SL_DIR_IN] == IPPROTO_ICMP) &&
	       reply_is_ours(w, e, ends) && (ends->client_owner == w->id || !moved);
}

/* The port is ours, and the connection another's. */
static bool stub_is_ours(const struct worker *w, const struct sl_conn_core *e,
			 const struct endpoints *ends)
{
	return e->state == SL_CONN_NONE && conn_has_local_port(e) && reply_is_ours(w, e, ends) &&
	       ends->client_owner != w->id;
}

/* Packets of the tuple are ours, and their connection another's. */
static bool flow_stub_is_ours(const struct worker *w, const struct conn_table *t, uint32_t i)
{
	const struct sl_conn_core *e = conn_core(t, i);
	unsigned int owner = conn_is_ipv6(t) ? owner_of6(w, &t->entry6[i].key[SL_DIR_IN])
					     : owner_of(w, &t->entry[i].key[SL_DIR_IN]);

	return e->flags == (SL_CONN_FLOW_STUB | SL_MODE_DR) && e->state == SL_CONN_NONE &&
	       owner == w->id && e->worker < w->n_workers && e->worker != w->id;
}

/* ICMP is of SNAT alone. */
static bool proto_fits(const struct sl_conn_core *e, const struct endpoints *ends)
{
	uint8_t proto = ends->proto[SL_DIR_IN];

	if (proto != ends->proto[SL_DIR_OUT])
		return false;
	if (proto == IPPROTO_ICMP)
		return sl_conn_is_snat(e) && e->flags & SL_CONN_F_ECHO;
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

static bool is_ours(const struct worker *w, const struct sl_conn_core *e,
		    const struct endpoints *ends)
{
	const uint8_t other_flags = SL_CONN_F_CLAMP | SL_CONN_F_MOVED | SL_CONN_F_STUB;
	enum sl_mode mode = sl_conn_mode(e);

	return proto_fits(e, ends) && mode < SL_MODE_MAX &&
	       (e->flags & ~other_flags) == sl_mode_flags[mode] &&
	       (e->flags & SL_CONN_F_STUB ? stub_is_ours(w, e, ends)
					  : connection_is_ours(w, e, ends));
}

bool checkpoint_fits(const struct worker *w, const struct checkpoint_known *k,
		     const struct conn_table *t, uint32_t i)
{
	const struct sl_conn_core *e = conn_core(t, i);
	struct endpoints ends;

	if (sl_conn_is_flow_stub(e))
		return flow_stub_is_ours(w, t, i);
	ends = conn_is_ipv6(t) ? endpoints6(w, &t->entry6[i]) : endpoints4(w, &t->entry[i]);
	return is_ours(w, e, &ends) && is_configured(w, k, e, &ends);
}
