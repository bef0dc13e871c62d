/* SPDX-License-Identifier: BSD-3-Clause */
/* The samples of the daemon, workers, ports: a few hundred, written in one turn of the loop. */
#include "ctrl/rpc/metrics.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include <rte_mempool.h>

#include <sluice/shm.h>

#include "ctrl/drain.h"
#include "ctrl/model.h"
#include "ctrl/rpc/durations.h"
#include "ctrl/rpc/metrics_text.h"
#include "ctrl/steps.h"

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* ---- the daemon, and the appliance as a whole ---- */

static void write_ctrl(const struct metrics *m, struct metrics_text *t)
{
	const struct sl_root *root = m->ctrl->root;
	struct http_counts http = http_server_counts(m->server);
#define ONE(name, type, help, value)                                   \
	do {                                                           \
		metrics_family(t, name, type, help);                   \
		metrics_sample(t, METRICS_NO_LABELS, (double)(value)); \
	} while (0)
	ONE("sluice_revision", "gauge", "Revision of the configuration.", m->ctrl->model->revision);
	ONE("sluice_generation", "gauge", "Generation of the snapshot that is published.",
	    load(&root->arena.current) >> 1);
	ONE("sluice_primary_up", "gauge", "1: the primary lives.",
	    kill(root->primary_pid, 0) == 0 || errno != ESRCH);
	ONE("sluice_api_connections", "gauge", "Connections of clients of the API.",
	    http.connections);
	ONE("sluice_api_connections_accepted_total", "counter",
	    "Connections of clients of the API, ever.", http.accepted);
	ONE("sluice_api_connections_refused_total", "counter",
	    "Connections refused because too many were busy.", http.refused);
	ONE("sluice_api_requests_total", "counter", "HTTP requests.", http.requests);
	ONE("sluice_api_memory_left_bytes", "gauge", "What requests may still take.",
	    __atomic_load_n(&m->budget->left, __ATOMIC_RELAXED));
#undef ONE
	metrics_family(t, "sluice_resources", "gauge", "Resources of the configuration, by kind.");
#define X(symbol, message, path)                            \
	metrics_sample(t, METRICS_LABELS("kind", #message), \
		       (double)m->ctrl->model->count[RESOURCE_##symbol]);
	RESOURCE_KINDS(X)
#undef X
}

static void write_steps(struct metrics_text *t)
{
	metrics_family(t, "sluice_change_step_seconds_total", "counter",
		       "Time that changes of the configuration took, by step.");
	for (int step = 0; step < STEP_MAX; step++)
		metrics_sample(t, METRICS_LABELS("step", step_names[step]), steps_seconds(step));
}

/* ---- workers ---- */

static double worker_connections(const struct sl_worker_slot *slot)
{
	return (double)drain_connections(slot);
}

static double worker_stubs(const struct sl_worker_slot *slot)
{
	return __atomic_load_n(&slot->worker.stubs, __ATOMIC_RELAXED);
}

static double worker_drained(const struct sl_worker_slot *slot)
{
	return __atomic_load_n(&slot->worker.drained, __ATOMIC_RELAXED);
}

static double worker_running(const struct sl_worker_slot *slot)
{
	return __atomic_load_n(&slot->supervisor.state, __ATOMIC_RELAXED) == SL_WORKER_RUNNING;
}

static double worker_capacity(const struct sl_worker_slot *slot)
{
	return (double)slot->conns.capacity + slot->conns6.capacity;
}

static double worker_generation(const struct sl_worker_slot *slot)
{
	return (double)load(&slot->worker.snapshot_in_use);
}

static double worker_buffers(const struct sl_worker_slot *slot)
{
	return slot->mempool->size;
}

static double worker_buffers_free(const struct sl_worker_slot *slot)
{
	return rte_mempool_avail_count(slot->mempool);
}

static double worker_buffers_quarantined(const struct sl_worker_slot *slot)
{
	return __atomic_load_n(&slot->pool->quarantined, __ATOMIC_RELAXED);
}

static double worker_deaths(const struct sl_worker_slot *slot)
{
	return slot->supervisor.deaths;
}

static double worker_starts(const struct sl_worker_slot *slot)
{
	return slot->supervisor.starts;
}

static double worker_takeovers(const struct sl_worker_slot *slot)
{
	return slot->supervisor.takeovers;
}

static double worker_takeover(const struct sl_worker_slot *slot)
{
	return (double)load(&slot->worker.takeover_us) / 1000000;
}

static const struct {
	const char *name, *type, *help;
	double (*value)(const struct sl_worker_slot *slot);
} worker_families[] = {
	{"sluice_worker_running", "gauge", "1: the worker is in its loop.", worker_running},
	{"sluice_worker_generation", "gauge", "Generation of the snapshot in use.",
	 worker_generation},
	{"sluice_worker_starts_total", "counter", "Processes started.", worker_starts},
	{"sluice_worker_deaths_total", "counter", "Processes that ended unasked.", worker_deaths},
	{"sluice_worker_takeovers_total", "counter", "Times that a standby went on.",
	 worker_takeovers},
	{"sluice_worker_takeover_seconds", "gauge",
	 "Time without a worker when the process last changed.", worker_takeover},
	{"sluice_worker_connections", "gauge", "Connections open.", worker_connections},
	{"sluice_worker_connections_max", "gauge", "Connections that there is room for.",
	 worker_capacity},
	{"sluice_worker_stubs", "gauge",
	 "Tuples whose packets are passed on to the worker that has the connection.", worker_stubs},
	{"sluice_worker_drained", "gauge", "1: the worker opens no connections.", worker_drained},
	{"sluice_worker_buffers", "gauge", "Packet buffers.", worker_buffers},
	{"sluice_worker_buffers_free", "gauge", "Packet buffers that are free.",
	 worker_buffers_free},
	{"sluice_worker_buffers_quarantined", "gauge",
	 "Packet buffers that a worker had in its hands when it died.", worker_buffers_quarantined},
};

static const char *number_text(char *text, size_t size, uint32_t number)
{
	snprintf(text, size, "%u", number);
	return text;
}

static const struct {
	const char *name, *text;
} counters[SL_WORKER_COUNTER_MAX] = {
#define X(field, name, text) [SL_WORKER_COUNTER_##field] = {name, text},
	SL_WORKER_COUNTERS(X)
#undef X
};

static void write_workers(const struct metrics *m, struct metrics_text *t)
{
	const struct sl_root *root = m->ctrl->root;
	char worker[12], name[96];

	for (size_t f = 0; f < sizeof(worker_families) / sizeof(worker_families[0]); f++) {
		metrics_family(t, worker_families[f].name, worker_families[f].type,
			       worker_families[f].help);
		for (uint32_t w = 0; w < root->n_workers; w++)
			metrics_sample(
				t, METRICS_LABELS("worker", number_text(worker, sizeof(worker), w)),
				worker_families[f].value(root->worker[w]));
	}
	for (unsigned int c = 0; c < SL_WORKER_COUNTER_MAX; c++) {
		snprintf(name, sizeof(name), "sluice_worker_%s_total", counters[c].name);
		metrics_family(t, name, "counter", counters[c].text);
		for (uint32_t w = 0; w < root->n_workers; w++)
			metrics_sample(
				t, METRICS_LABELS("worker", number_text(worker, sizeof(worker), w)),
				(double)load(&root->worker[w]->stats.counter[c]));
	}
}

/* Every reason from the start, so that a first drop is an increase. */
static void write_drops(const struct metrics *m, struct metrics_text *t)
{
	const struct sl_root *root = m->ctrl->root;
	char worker[12];

	metrics_family(t, "sluice_drops_total", "counter", "Packets not forwarded, by reason.");
	for (uint32_t w = 0; w < root->n_workers; w++)
		for (unsigned int i = 0; i < SL_DROP_MAX; i++)
			if (sl_drop_texts[i].name)
				metrics_sample(
					t,
					METRICS_LABELS("reason", sl_drop_texts[i].name, "worker",
						       number_text(worker, sizeof(worker), w)),
					(double)load(&root->worker[w]->stats.drops[i]));
}

/* ---- ports ---- */

static void write_port_family(const struct metrics *m, struct metrics_text *t, const char *name,
			      const char *help, size_t offset)
{
	const struct sl_root *root = m->ctrl->root;
	char worker[12];

	metrics_family(t, name, "counter", help);
	for (uint32_t w = 0; w < root->n_workers; w++)
		for (uint32_t p = 0; p < root->n_ports; p++) {
			const struct sl_port_stats *stats = &root->worker[w]->stats.port[p];

			metrics_sample(
				t,
				METRICS_LABELS("port", root->port[p].name, "worker",
					       number_text(worker, sizeof(worker), w)),
				(double)load((const uint64_t *)((const char *)stats + offset)));
		}
}

static void write_ports(const struct metrics *m, struct metrics_text *t)
{
	const struct sl_root *root = m->ctrl->root;

#define COUNTER(field, help)                                          \
	write_port_family(m, t, "sluice_port_" #field "_total", help, \
			  offsetof(struct sl_port_stats, field))
	COUNTER(rx_packets, "Packets received.");
	COUNTER(rx_bytes, "Bytes received.");
	COUNTER(tx_packets, "Packets sent.");
	COUNTER(tx_bytes, "Bytes sent.");
#undef COUNTER
	metrics_family(t, "sluice_port_up", "gauge", "1: the link is up.");
	for (uint32_t p = 0; p < root->n_ports; p++)
		metrics_sample(t, METRICS_LABELS("port", root->port[p].name),
			       root->port[p].link_up);
}

void metrics_write_appliance(const struct metrics *m, struct metrics_text *t)
{
	write_ctrl(m, t);
	write_workers(m, t);
	write_drops(m, t);
	write_ports(m, t);
	durations_write(t);
	write_steps(t);
}
