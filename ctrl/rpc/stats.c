/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statistics: what the workers count in their slots, with names. Each word is read whole; sums
 * over words are not of one instant.
 */
#include "ctrl/rpc/stats.h"

#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include <sluice/shm.h>

#include "ctrl/model.h"
#include "ctrl/rpc/services.h"

static const struct {
	const char *name;
	const char *text;
} counter_texts[SL_WORKER_COUNTER_MAX] = {
#define X(field, name, text) [SL_WORKER_COUNTER_##field] = {name, text},
	SL_WORKER_COUNTERS(X)
#undef X
};

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* An array of so many zeroed messages of a type and of pointers to them; NULL when used up. */
static void *message_array(struct rpc_call *call, const ProtobufCMessageDescriptor *type, size_t n)
{
	ProtobufCMessage **array = rpc_alloc(call, n * sizeof(*array));

	for (size_t i = 0; array && i < n; i++) {
		array[i] = rpc_message(call, type);
		if (!array[i])
			return NULL;
	}
	return array;
}

static void set_counter(Sluice__V1__Counter *counter, const char *name, const char *text,
			uint64_t value)
{
	counter->name = (char *)name;
	counter->text = (char *)text;
	counter->value = value;
}

static void set_counters(struct rpc_call *call, Sluice__V1__WorkerStats *m,
			 const struct sl_worker_stats *stats)
{
	m->counters = message_array(call, &sluice__v1__counter__descriptor, SL_WORKER_COUNTER_MAX);
	if (!m->counters)
		return;
	m->n_counters = SL_WORKER_COUNTER_MAX;
	for (unsigned int i = 0; i < SL_WORKER_COUNTER_MAX; i++)
		set_counter(m->counters[i], counter_texts[i].name, counter_texts[i].text,
			    load(&stats->counter[i]));
}

/* The reasons with a count; their number in *n. */
static Sluice__V1__Counter **drops_view(struct rpc_call *call, const uint64_t *drops, size_t *n)
{
	Sluice__V1__Counter **array =
		message_array(call, &sluice__v1__counter__descriptor, SL_DROP_MAX);

	*n = 0;
	for (unsigned int i = 0; array && i < SL_DROP_MAX; i++)
		if (drops[i])
			set_counter(array[(*n)++], sl_drop_texts[i].name, sl_drop_texts[i].text,
				    drops[i]);
	return array;
}

static Sluice__V1__PortStats **ports_view(struct rpc_call *call, const struct sl_port_stats *ports,
					  size_t *n)
{
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	Sluice__V1__PortStats **array =
		message_array(call, &sluice__v1__port_stats__descriptor, root->n_ports);

	*n = array ? root->n_ports : 0;
	for (unsigned int i = 0; i < *n; i++) {
		array[i]->name = (char *)root->port[i].name;
		array[i]->rx_packets = ports[i].rx_packets;
		array[i]->rx_bytes = ports[i].rx_bytes;
		array[i]->tx_packets = ports[i].tx_packets;
		array[i]->tx_bytes = ports[i].tx_bytes;
	}
	return array;
}

/* Drops and ports of one worker, or summed over all. */
struct sums {
	uint64_t drops[SL_DROP_MAX];
	struct sl_port_stats port[SL_MAX_PORTS];
};

static void sums_add(struct sums *sums, const struct sl_worker_stats *stats)
{
	for (unsigned int i = 0; i < SL_DROP_MAX; i++)
		sums->drops[i] += load(&stats->drops[i]);
	for (unsigned int i = 0; i < SL_MAX_PORTS; i++) {
		sums->port[i].rx_packets += load(&stats->port[i].rx_packets);
		sums->port[i].rx_bytes += load(&stats->port[i].rx_bytes);
		sums->port[i].tx_packets += load(&stats->port[i].tx_packets);
		sums->port[i].tx_bytes += load(&stats->port[i].tx_bytes);
	}
}

static uint64_t redirect_queued(const struct sl_root *root, const struct sl_worker_slot *slot)
{
	uint64_t n = 0;

	for (unsigned int from = 0; from < root->n_workers; from++)
		if (slot->redirect[from])
			n += rte_ring_count(slot->redirect[from]);
	return n;
}

static void set_worker(struct rpc_call *call, Sluice__V1__WorkerStats *m,
		       const struct sl_worker_slot *slot)
{
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	struct sums own = {0};

	sums_add(&own, &slot->stats);
	m->worker = slot->id;
	set_counters(call, m, &slot->stats);
	m->drops = drops_view(call, own.drops, &m->n_drops);
	m->ports = ports_view(call, own.port, &m->n_ports);
	m->connections_ipv6 = sl_conn_open_count(&slot->conns6);
	m->connections_ipv6_max = slot->conns6.capacity;
	m->connections = sl_conn_open_count(&slot->conns) + m->connections_ipv6;
	m->connections_max = slot->conns.capacity + m->connections_ipv6_max;
	m->buffers_max = slot->mempool->size;
	m->buffers_free = rte_mempool_avail_count(slot->mempool);
	m->buffers_quarantined = __atomic_load_n(&slot->pool->quarantined, __ATOMIC_RELAXED);
	m->redirect_queued = redirect_queued(root, slot);
}

/* ---- virtual servers, which SNAT policies are among, and backends ---- */

/* Skip a worker's figures when they are of a former owner of the id: see sl_flow_stats. */
static void flow_add(Sluice__V1__FlowStats *m, const struct sl_flow_stats *stats, uint32_t ref)
{
	if (__atomic_load_n(&stats->ref, __ATOMIC_RELAXED) != ref)
		return;
	m->connections += load(&stats->connections);
	m->active_connections += __atomic_load_n(&stats->active, __ATOMIC_RELAXED);
	m->established_connections += __atomic_load_n(&stats->established, __ATOMIC_RELAXED);
	m->in_packets += load(&stats->packets[SL_DIR_IN]);
	m->in_bytes += load(&stats->bytes[SL_DIR_IN]);
	m->out_packets += load(&stats->packets[SL_DIR_OUT]);
	m->out_bytes += load(&stats->bytes[SL_DIR_OUT]);
}

/* See struct sl_overload. */
static bool overloaded(const struct sl_root *root, uint32_t id)
{
	uint32_t began = 0, ended = 0;

	for (unsigned int w = 0; w < root->n_workers; w++) {
		const struct sl_overload *o = &root->worker[w]->overload[id];

		began = RTE_MAX(began, __atomic_load_n(&o->began, __ATOMIC_RELAXED));
		ended = RTE_MAX(ended, __atomic_load_n(&o->ended, __ATOMIC_RELAXED));
	}
	return began > ended;
}

void stats_of_flow(Sluice__V1__FlowStats *m, const struct ctrl *ctrl, const struct resource *r)
{
	const struct sl_root *root = ctrl->root;
	uint32_t id = SL_REF_ID(r->ref);

	m->name = r->name;
	m->overloaded =
		r->kind == RESOURCE_BACKEND && r->backend.max_connections && overloaded(root, id);
	for (unsigned int w = 0; w < root->n_workers; w++) {
		const struct sl_worker_slot *slot = root->worker[w];

		flow_add(m,
			 r->kind == RESOURCE_BACKEND ? &slot->backend_stats[id]
						     : &slot->virtual_server_stats[id],
			 r->ref);
	}
}

/* A sum of each one's figures and reference, by id; 0: not seen. */
struct stats_seen {
	uint64_t *virtual_server, *backend;
};

struct stats_seen *stats_seen_new(const struct ctrl *ctrl)
{
	struct stats_seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return NULL;
	seen->virtual_server = calloc(ctrl->root->max_virtual_servers, sizeof(uint64_t));
	seen->backend = calloc(ctrl->root->max_backends, sizeof(uint64_t));
	if (seen->virtual_server && seen->backend)
		return seen;
	stats_seen_free(seen);
	return NULL;
}

void stats_seen_free(struct stats_seen *seen)
{
	if (!seen)
		return;
	free(seen->virtual_server);
	free(seen->backend);
	free(seen);
}

static uint64_t sum_of(const Sluice__V1__FlowStats *m, uint32_t ref)
{
	const uint64_t figures[] = {
		m->connections, m->active_connections, m->in_packets, m->in_bytes,
		m->out_packets, m->out_bytes,          m->overloaded, m->established_connections};
	uint64_t sum = ref + UINT64_C(1);

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		sum = (sum ^ figures[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return sum ?: 1;
}

/* Is it new to who has seen that? */
static bool is_news(struct stats_seen *seen, const Sluice__V1__FlowStats *m,
		    const struct resource *r)
{
	uint64_t *was = r->kind == RESOURCE_BACKEND ? seen->backend : seen->virtual_server;
	uint64_t sum = sum_of(m, r->ref);

	if (was[SL_REF_ID(r->ref)] == sum)
		return false;
	was[SL_REF_ID(r->ref)] = sum;
	return true;
}

/* All of a kind that are news, sorted by name; their number in *n. */
static Sluice__V1__FlowStats **flows_view(struct rpc_call *call, enum resource_kind kind,
					  struct stats_seen *seen, size_t *n)
{
	const struct ctrl *ctrl = rpc_call_ctrl(call);
	Sluice__V1__FlowStats **array =
		message_array(call, &sluice__v1__flow_stats__descriptor, ctrl->model->count[kind]);

	*n = 0;
	if (!array)
		return NULL;
	for (const struct resource *r = model_after(ctrl->model, kind, ""); r; r = model_next(r)) {
		Sluice__V1__FlowStats *m = array[*n];

		sluice__v1__flow_stats__init(m);
		stats_of_flow(m, ctrl, r);
		*n += !seen || is_news(seen, m, r);
	}
	return array;
}

Sluice__V1__GetStatsResponse *stats_view(struct rpc_call *call, struct stats_seen *seen)
{
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	Sluice__V1__GetStatsResponse *response =
		rpc_message(call, &sluice__v1__get_stats_response__descriptor);
	struct sums all = {0};

	if (response)
		response->workers =
			message_array(call, &sluice__v1__worker_stats__descriptor, root->n_workers);
	if (response && response->workers) {
		response->n_workers = root->n_workers;
		for (unsigned int w = 0; w < root->n_workers; w++) {
			set_worker(call, response->workers[w], root->worker[w]);
			sums_add(&all, &root->worker[w]->stats);
		}
		response->drops = drops_view(call, all.drops, &response->n_drops);
		response->ports = ports_view(call, all.port, &response->n_ports);
		response->virtual_servers = flows_view(call, RESOURCE_VIRTUAL_SERVER, seen,
						       &response->n_virtual_servers);
		response->backends =
			flows_view(call, RESOURCE_BACKEND, seen, &response->n_backends);
		response->snat_policies =
			flows_view(call, RESOURCE_SNAT_POLICY, seen, &response->n_snat_policies);
	}
	return response;
}

void stats_get(struct rpc_call *call)
{
	rpc_reply(call, stats_view(call, NULL));
}
