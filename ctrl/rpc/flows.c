/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/flows.h"

#include <stdio.h>
#include <stdlib.h>

#include <sluice/shm.h>

#include "ctrl/model.h"

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

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

static void read_figures(Sluice__V1__FlowStats *m, const struct ctrl *ctrl,
			 const struct resource *r)
{
	const struct sl_root *root = ctrl->root;
	uint32_t id = SL_REF_ID(r->ref);

	sluice__v1__flow_stats__init(m);
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

bool flows_walk(const struct ctrl *ctrl, struct flows_cursor *at, flow_fn visit, void *arg)
{
	const struct resource *r = model_after(ctrl->model, at->kind, at->after);
	Sluice__V1__FlowStats figures;

	for (unsigned int n = 0; r && n < FLOWS_SLICE; n++, r = model_next(r)) {
		read_figures(&figures, ctrl, r);
		snprintf(at->after, sizeof(at->after), "%s", r->name);
		if (!visit(arg, r, &figures))
			return true;
	}
	return r != NULL;
}

/* ---- what somebody has been shown ---- */

/* A sum of each one's figures and reference, by id; 0: not seen. */
struct flows_seen {
	uint64_t *virtual_server, *backend;
};

struct flows_seen *flows_seen_new(const struct ctrl *ctrl)
{
	struct flows_seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return NULL;
	seen->virtual_server = calloc(ctrl->root->max_virtual_servers, sizeof(uint64_t));
	seen->backend = calloc(ctrl->root->max_backends, sizeof(uint64_t));
	if (seen->virtual_server && seen->backend)
		return seen;
	flows_seen_free(seen);
	return NULL;
}

void flows_seen_free(struct flows_seen *seen)
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

bool flows_is_news(struct flows_seen *seen, const struct resource *r,
		   const Sluice__V1__FlowStats *m)
{
	uint64_t *was = r->kind == RESOURCE_BACKEND ? seen->backend : seen->virtual_server;
	uint64_t sum = sum_of(m, r->ref);

	if (was[SL_REF_ID(r->ref)] == sum)
		return false;
	was[SL_REF_ID(r->ref)] = sum;
	return true;
}
