/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers, as their slots and the primary's supervisor describe them. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include <sluice/shm.h>

#include "ctrl/drain.h"
#include "ctrl/primary_client.h"
#include "ctrl/rpc/services.h"
#include "ctrl/rpc/worker.h"

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* 0 for what never happened. */
static uint64_t age_ns(uint64_t since, uint64_t now)
{
	return since && now > since ? now - since : 0;
}

static void set_supervised(struct rpc_call *call, Sluice__V1__Worker *m,
			   const struct sl_worker_slot *slot, uint64_t now)
{
	uint32_t state = __atomic_load_n(&slot->supervisor.state, __ATOMIC_ACQUIRE);

	m->state = (char *)(state < SL_WORKER_STATE_MAX ? sl_worker_state_names[state] : "");
	m->starts = slot->supervisor.starts;
	m->deaths = slot->supervisor.deaths;
	/* The primary may be writing it: a copy, cut in any case. */
	m->last_end = rpc_format(call, "%.*s", SL_NAME_LEN - 1, slot->supervisor.last_end);
	m->takeovers = slot->supervisor.takeovers;
	m->standby_pid = (uint32_t)slot->supervisor.standby_pid;
	if (state == SL_WORKER_DOWN)
		return;
	m->pid = (uint32_t)slot->supervisor.pid;
	m->uptime_seconds = age_ns(slot->supervisor.started_ns, now) / 1000000000;
}

Sluice__V1__Worker *worker_view(struct rpc_call *call, uint32_t worker)
{
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	const struct sl_worker_slot *slot = root->worker[worker];
	Sluice__V1__Worker *m = rpc_message(call, &sluice__v1__worker__descriptor);
	uint64_t heartbeat = __atomic_load_n(&slot->worker.heartbeat_ns, __ATOMIC_RELAXED);
	uint64_t now = monotonic_ns();
	char etag[RESOURCE_ETAG_SIZE];

	if (!m)
		return NULL;
	m->id = slot->id;
	m->cpu = slot->cpu;
	m->numa_node = slot->numa_node;
	set_supervised(call, m, slot, now);
	m->repairs = slot->worker.repairs;
	m->heartbeat_age_ms = age_ns(heartbeat, now) / 1000000;
	m->generation = __atomic_load_n(&slot->worker.snapshot_in_use, __ATOMIC_RELAXED);
	m->revision = __atomic_load_n(&slot->worker.revision, __ATOMIC_RELAXED);
	if (m->generation)
		m->config_etag =
			rpc_format(call, "%s", resource_etag_text(slot->worker.content, etag));
	m->takeover_us = slot->worker.takeover_us;
	m->connections = drain_connections(slot);
	m->drain = (char *)drain_state_names[drain_state_of(root, worker)];
	m->stubs = slot->worker.stubs;
	return m;
}

void worker_list(struct rpc_call *call)
{
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	Sluice__V1__ListWorkersResponse *response =
		rpc_message(call, &sluice__v1__list_workers_response__descriptor);

	if (response)
		response->workers = rpc_alloc(call, root->n_workers * sizeof(*response->workers));
	if (response && response->workers) {
		response->n_workers = root->n_workers;
		for (unsigned int w = 0; w < root->n_workers; w++)
			response->workers[w] = worker_view(call, w);
		response->primary_gone = kill(root->primary_pid, 0) != 0 && errno == ESRCH;
		response->generation = __atomic_load_n(&root->arena.current, __ATOMIC_RELAXED) >> 1;
	}
	rpc_reply(call, response);
}

static enum problem_code code_of(int status)
{
	switch (status) {
	case -ETIMEDOUT: return PROBLEM_DEADLINE_EXCEEDED;
	case -EINVAL: return PROBLEM_INVALID_ARGUMENT;
	case -EBUSY: return PROBLEM_FAILED_PRECONDITION;
	default: return PROBLEM_UNAVAILABLE;
	}
}

static void on_restarted(void *arg, int status, const char *text)
{
	struct rpc_call *call = arg;
	const Sluice__V1__RestartWorkerRequest *request = (const void *)rpc_call_request(call);
	Sluice__V1__RestartWorkerResponse *response;

	if (status) {
		rpc_fail(call, code_of(status), "workers[%u]: %s", request->id, text);
		return;
	}
	response = rpc_message(call, &sluice__v1__restart_worker_response__descriptor);
	if (response)
		response->worker = worker_view(call, request->id);
	rpc_reply(call, response);
}

/* Answered when the worker runs again. */
void worker_restart(struct rpc_call *call)
{
	const Sluice__V1__RestartWorkerRequest *request = (const void *)rpc_call_request(call);
	const struct ctrl *ctrl = rpc_call_ctrl(call);

	if (request->optional_id_case != SLUICE__V1__RESTART_WORKER_REQUEST__OPTIONAL_ID_ID)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "id: missing");
	else if (request->id >= ctrl->root->n_workers)
		rpc_fail(call, PROBLEM_NOT_FOUND, "workers[%u]: there are %u workers", request->id,
			 ctrl->root->n_workers);
	else if (primary_request(ctrl->primary, SL_PRIMARY_RESTART_WORKER, request->id,
				 rpc_call_time_left(call), on_restarted, call))
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory to ask the primary");
}
