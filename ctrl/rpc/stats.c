/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statistics: what the workers count in their slots, with names. Each word is read whole; sums
 * over words are not of one instant.
 */
#include "ctrl/rpc/stats.h"

#include <stddef.h>

#include <rte_mempool.h>
#include <rte_ring.h>

#include <sluice/shm.h>

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

/* ---- in slices ---- */

/* What there is once. False: the call's memory is used up. */
static bool set_appliance(struct rpc_call *call, Sluice__V1__GetStatsResponse *m)
{
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	struct sums all = {0};

	m->workers = message_array(call, &sluice__v1__worker_stats__descriptor, root->n_workers);
	if (!m->workers)
		return false;
	m->n_workers = root->n_workers;
	for (unsigned int w = 0; w < root->n_workers; w++) {
		set_worker(call, m->workers[w], root->worker[w]);
		sums_add(&all, &root->worker[w]->stats);
	}
	m->drops = drops_view(call, all.drops, &m->n_drops);
	m->ports = ports_view(call, all.port, &m->n_ports);
	return m->drops && m->ports;
}

/* By their fields' numbers, as parts of an answer have to come. */
static const struct {
	enum resource_kind kind;
	size_t list, count; /* in GetStatsResponse */
} flow_lists[] = {
#define LIST(kind, field)                                                 \
	{                                                                 \
		kind, offsetof(Sluice__V1__GetStatsResponse, field),      \
			offsetof(Sluice__V1__GetStatsResponse, n_##field) \
	}
	LIST(RESOURCE_VIRTUAL_SERVER, virtual_servers),
	LIST(RESOURCE_BACKEND, backends),
	LIST(RESOURCE_SNAT_POLICY, snat_policies),
#undef LIST
};
#define N_FLOW_LISTS (sizeof(flow_lists) / sizeof(flow_lists[0]))

/* As it is now: a later slice may find the resource gone. */
static Sluice__V1__FlowStats *copy(struct rpc_call *call, const Sluice__V1__FlowStats *figures)
{
	Sluice__V1__FlowStats *m = rpc_alloc(call, sizeof(*m));

	if (!m)
		return NULL;
	*m = *figures;
	m->name = rpc_format(call, "%s", figures->name);
	return m->name ? m : NULL;
}

static bool add_flow(void *arg, const struct resource *r, const Sluice__V1__FlowStats *figures)
{
	struct stats_walk *walk = arg;
	char *message = (char *)walk->message;
	Sluice__V1__FlowStats ***list = (void *)(message + flow_lists[walk->list].list);
	size_t *count = (void *)(message + flow_lists[walk->list].count);

	if (walk->seen && !flows_is_news(walk->seen, r, figures))
		return true;
	if (!*list)
		*list = rpc_alloc(walk->call, STATS_FLOWS_MAX * sizeof(**list));
	walk->failed = !*list || !((*list)[*count] = copy(walk->call, figures));
	*count += !walk->failed;
	walk->flows++;
	return !walk->failed;
}

static bool begin_message(struct stats_walk *walk)
{
	walk->flows = 0;
	walk->message = rpc_message(walk->call, &sluice__v1__get_stats_response__descriptor);
	return walk->message && (walk->begun || set_appliance(walk->call, walk->message));
}

void stats_walk_begin(struct stats_walk *walk)
{
	walk->message = NULL;
	walk->list = 0;
	walk->at = (struct flows_cursor){.kind = flow_lists[0].kind};
	walk->begun = walk->ended = walk->failed = false;
}

void stats_walk_slice(struct stats_walk *walk)
{
	walk->failed = !walk->message && !begin_message(walk);
	walk->begun = true;
	if (walk->failed || flows_walk(rpc_call_ctrl(walk->call), &walk->at, add_flow, walk))
		return;
	if (++walk->list < N_FLOW_LISTS)
		walk->at = (struct flows_cursor){.kind = flow_lists[walk->list].kind};
	else
		walk->ended = true;
}

const Sluice__V1__GetStatsResponse *stats_walk_take(struct stats_walk *walk)
{
	const Sluice__V1__GetStatsResponse *message = walk->message;

	walk->message = NULL;
	return message;
}
