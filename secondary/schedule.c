/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: packets without a connection. Another worker's go to its redirect ring; a SYN or a
 * datagram to a virtual server opens a connection here; the rest gets its reason.
 * What was opened is left in `hit`, for the stages that forward.
 */
#include "secondary/burst.h"

#include <errno.h>
#include <netinet/in.h>

#include <rte_branch_prediction.h>

#include <sluice/owner.h>
#include <sluice/snapshot.h>

#include "secondary/frame.h"
#include "secondary/local_port.h"
#include "secondary/sched.h"
#include "secondary/tcp_state.h"
#include "secondary/worker.h"

#define GO_ON      SL_DROP_MAX /* no reason to drop */
#define PORT_TRIES 8           /* doubtful ports looked up for one connection */

static const struct sched_ops *const schedulers[SL_SCHED_MAX] = {
	[SL_SCHED_RR] = &sched_cycle,
	[SL_SCHED_WRR] = &sched_cycle,
};

/* The worker whose packet this is: by its local port, or by the client. */
static unsigned int owner_of(const struct worker *w, const struct rte_ipv4_hdr *ip,
			     const struct rte_udp_hdr *ports)
{
	const struct sl_own_address *own = sl_own_address_find(w->snapshot, ip->dst_addr);

	if (own && own->flags & SL_OWN_LOCAL && !(own->flags & SL_OWN_VIRTUAL))
		return sl_owner_local_port(rte_be_to_cpu_16(ports->dst_port), w->n_workers);
	return sl_owner_client(ip->src_addr, ports->src_port, w->root->seed, w->n_workers);
}

/* A free local port: the lists' addresses in turn, each with its pool for this backend. */
static enum sl_drop_reason take_local_port(struct worker *w, const struct sl_virtual_server *vs,
					   const struct sl_backend *backend, struct conn_new *c)
{
	const struct sl_local_address *all =
		sl_snapshot_at(w->snapshot, w->snapshot->local_addresses);
	const uint32_t *list = sl_snapshot_at(w->snapshot, vs->local);

	for (uint32_t k = 0; k < vs->local.count; k++) {
		const struct sl_local_address *local =
			&all[list[(w->local_turn + k) % vs->local.count]];
		uint16_t port = local_port_take(w, local, backend, &c->port_pool);

		if (port) {
			w->local_turn++;
			c->local_addr = local->addr;
			c->local_port = rte_cpu_to_be_16(port);
			return GO_ON;
		}
		w->stats->local_ports_exhausted++;
	}
	return SL_DROP_NO_LOCAL_PORT;
}

static void give_local_port_back(struct worker *w, const struct conn_new *c)
{
	local_port_put(w, c->port_pool, c->local_addr, rte_be_to_cpu_16(c->local_port));
}

/* In a doubtful pool a port may still belong to a connection of former times. */
static bool port_in_use(const struct worker *w, const struct conn_new *c)
{
	struct sl_tuple reply = {
		.proto = (uint8_t)(c->key[0] >> 8),
		.saddr = c->backend_addr,
		.daddr = c->local_addr,
		.sport = c->backend_port,
		.dport = c->local_port,
	};
	uint64_t key[2];
	uint8_t dir;

	if (likely(!local_port_doubtful(w, c->port_pool)))
		return false;
	memcpy(key, &reply, sizeof(key));
	return conn_find(&w->conns, key, conn_hash(&w->conns, key[0], key[1]), &dir) != NULL;
}

static enum sl_drop_reason take_free_local_port(struct worker *w,
						const struct sl_virtual_server *vs,
						const struct sl_backend *backend,
						struct conn_new *c)
{
	for (int i = 0; i < PORT_TRIES; i++) {
		enum sl_drop_reason why = take_local_port(w, vs, backend, c);

		if (why != GO_ON || !port_in_use(w, c))
			return why;
		give_local_port_back(w, c);
	}
	return SL_DROP_NO_LOCAL_PORT;
}

/* Open a connection to `vs` for packet `at`. */
static enum sl_drop_reason open_connection(struct worker *w, struct burst *b, unsigned int at,
					   const struct sl_virtual_server *vs)
{
	const struct sl_backend *all = sl_snapshot_at(w->snapshot, w->snapshot->backends);
	uint32_t pick = schedulers[vs->scheduler]->pick(w, vs);
	const struct sl_backend *backend = &all[pick];
	struct conn_new c = {
		.key = {b->key[at][0], b->key[at][1]},
		.hash = b->hash[at],
		.virtual_server = vs->ref,
		.state = vs->proto == IPPROTO_TCP ? SL_CONN_SYN_SENT : SL_CONN_UDP,
	};
	enum sl_drop_reason why;

	if (unlikely(pick == SCHED_NO_BACKEND))
		return SL_DROP_NO_BACKEND;
	c.backend = backend->ref;
	c.backend_addr = backend->addr;
	c.backend_port = backend->port;
	why = take_free_local_port(w, vs, backend, &c);
	if (unlikely(why != GO_ON))
		return why;
	switch (conn_open(w, &c, &b->conn[at])) {
	case 0: b->dir[at] = SL_DIR_IN; return GO_ON;
	case -ENOSPC: why = SL_DROP_CONNECTION_TABLE_FULL; break;
	default: why = SL_DROP_CONNECTION_INDEX_FULL;
	}
	give_local_port_back(w, &c);
	return why;
}

static bool opens(const struct burst *b, unsigned int at, uint8_t proto)
{
	return proto == IPPROTO_UDP ||
	       tcp_event_of(frame_tcp(b->pkt[at])->tcp_flags) == TCP_EVENT_SYN;
}

/* A packet of ours to own that has no connection. */
static enum sl_drop_reason serve(struct worker *w, struct burst *b, unsigned int at)
{
	const struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);
	const struct rte_udp_hdr *ports = frame_udp(b->pkt[at]);
	const struct sl_own_address *own;
	const struct sl_virtual_server *vs;

	if (sl_own_address_find(w->snapshot, ip->src_addr))
		return SL_DROP_IP_SOURCE_OURS;
	vs = sl_virtual_server_find(w->snapshot, ip->dst_addr, ports->dst_port, ip->next_proto_id);
	if (!vs) {
		own = sl_own_address_find(w->snapshot, ip->dst_addr);
		return own && own->flags & SL_OWN_LOCAL ? SL_DROP_NO_CONNECTION
							: SL_DROP_NO_SERVICE;
	}
	if (!opens(b, at, ip->next_proto_id))
		return SL_DROP_NO_CONNECTION;
	return open_connection(w, b, at, vs);
}

/* An earlier packet of this burst may have opened the connection, or it has ended. */
static bool found_now(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn *e = conn_find(&w->conns, b->key[at], b->hash[at], &b->dir[at]);

	if (!e)
		return false;
	if (e->state == SL_CONN_TIME_WAIT || e->state == SL_CONN_CLOSE) {
		conn_close(w, e);
		return false;
	}
	b->conn[at] = e;
	return true;
}

static void miss(struct worker *w, struct burst *b, unsigned int at)
{
	const struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);
	enum sl_drop_reason why = GO_ON;
	unsigned int owner = owner_of(w, ip, frame_udp(b->pkt[at]));

	if (owner != w->id) {
		if (b->redirected)
			burst_drop(b, at, SL_DROP_REDIRECT_LOOP);
		else
			burst_verdict(b, at, VERDICT_REDIRECT, owner);
		return;
	}
	if (!found_now(w, b, at))
		why = serve(w, b, at);
	if (why == GO_ON)
		list_add(&b->hit, at);
	else
		burst_drop(b, at, why);
}

void stage_schedule(struct worker *w, struct burst *b)
{
	b->hit.n = 0;
	for (unsigned int k = 0; k < b->miss.n; k++) {
		if (unlikely(!w->snapshot))
			burst_drop(b, b->miss.at[k], SL_DROP_NO_CONFIG);
		else
			miss(w, b, b->miss.at[k]);
	}
	b->miss.n = 0;
}
