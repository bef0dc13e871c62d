/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's time by stage: the counters in its slot before and after it was asked to count
 * (sluice/profile.h). Calls may overlap: each takes its own difference.
 */
#include <time.h>

#include <sluice/profile.h>
#include <sluice/shm.h>

#include <event2/event.h>
#include <rte_cycles.h>

#include "ctrl/rpc/call.h"
#include "ctrl/rpc/services.h"
#include "sluice/v1/worker.pb-c.h"

#define DEFAULT_MS 1000
#define MAX_MS     5000 /* within any call's time */
#define MARGIN_MS  5    /* the worker looks once a millisecond, and may be in a long turn */

struct profile {
	struct rpc_call *call;
	struct sl_worker_slot *slot;
	struct sl_profile before;
};

static const struct {
	const char *name, *text;
} stages[SL_STAGE_MAX] = {
#define X(symbol, name, text) [SL_STAGE_##symbol] = {name, text},
	SL_STAGES(X)
#undef X
};

static Sluice__V1__StageProfile *stage_view(const struct profile *p, unsigned int stage)
{
	Sluice__V1__StageProfile *m = rpc_message(p->call, &sluice__v1__stage_profile__descriptor);

	if (!m)
		return NULL;
	m->name = (char *)stages[stage].name;
	m->text = (char *)stages[stage].text;
	m->cycles = p->slot->profile.stage[stage].cycles - p->before.stage[stage].cycles;
	m->packets = p->slot->profile.stage[stage].packets - p->before.stage[stage].packets;
	return m;
}

static Sluice__V1__ProfileWorkerResponse *view(const struct profile *p)
{
	Sluice__V1__ProfileWorkerResponse *m =
		rpc_message(p->call, &sluice__v1__profile_worker_response__descriptor);

	if (m)
		m->stages = rpc_alloc(p->call, SL_STAGE_MAX * sizeof(*m->stages));
	if (!m || !m->stages)
		return NULL;
	m->n_stages = SL_STAGE_MAX;
	for (unsigned int i = 0; i < SL_STAGE_MAX; i++) {
		m->stages[i] = stage_view(p, i);
		if (!m->stages[i])
			return NULL;
		m->cycles += m->stages[i]->cycles;
	}
	m->cycles_per_second = rte_get_tsc_hz();
	return m;
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct profile *p = arg;
	Sluice__V1__ProfileWorkerResponse *response = view(p);

	(void)fd;
	(void)what;
	if (response && !response->cycles)
		rpc_fail(p->call, PROBLEM_UNAVAILABLE, "workers[%u]: it did not count",
			 p->slot->id);
	else
		rpc_reply(p->call, response);
}

/* Another call may have asked for longer. */
static void ask_worker(struct sl_worker_slot *slot, uint32_t ms)
{
	struct timespec t;
	uint64_t until;

	clock_gettime(CLOCK_MONOTONIC, &t);
	until = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec + ms * UINT64_C(1000000);
	if (until > slot->profile_until_ns)
		__atomic_store_n(&slot->profile_until_ns, until, __ATOMIC_RELAXED);
}

static void begin(struct rpc_call *call, struct sl_worker_slot *slot, uint32_t ms)
{
	const struct timeval time = {(ms + MARGIN_MS) / 1000, (ms + MARGIN_MS) % 1000 * 1000};
	struct profile *p = rpc_alloc(call, sizeof(*p));

	if (p) {
		*p = (struct profile){.call = call, .slot = slot, .before = slot->profile};
		ask_worker(slot, ms);
	}
	if (!p || event_base_once(rpc_call_ctrl(call)->base, -1, EV_TIMEOUT, on_time, p, &time))
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory to wait for the worker");
}

void worker_profile(struct rpc_call *call)
{
	const Sluice__V1__ProfileWorkerRequest *request = (const void *)rpc_call_request(call);
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	uint32_t ms = request->milliseconds ?: DEFAULT_MS;

	if (request->optional_id_case != SLUICE__V1__PROFILE_WORKER_REQUEST__OPTIONAL_ID_ID)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "id: missing");
	else if (ms > MAX_MS)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "milliseconds: %u is over %u", ms, MAX_MS);
	else if (request->id >= root->n_workers)
		rpc_fail(call, PROBLEM_NOT_FOUND, "workers[%u]: there are %u workers", request->id,
			 root->n_workers);
	else if (!root->worker[request->id]->worker.running)
		rpc_fail(call, PROBLEM_FAILED_PRECONDITION, "workers[%u]: it is not running",
			 request->id);
	else
		begin(call, root->worker[request->id], ms);
}
