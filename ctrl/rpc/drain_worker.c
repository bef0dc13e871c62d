/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers drained and resumed (secondary/drain.h). What is asked for is one word in shared memory,
 * so that it stands whoever dies; the calls answer when the worker has taken note of it. A call
 * that ends early, its client or the daemon gone, leaves the worker drained and ends no connection.
 */
#include <time.h>

#include <event2/event.h>

#include <sluice/shm.h>

#include "ctrl/drain.h"
#include "ctrl/rpc/end_connections.h"
#include "ctrl/rpc/services.h"
#include "ctrl/rpc/worker.h"

#define POLL_MS   2
#define WAIT_MAX  50   /* seconds, within the longest time of a call */
#define MARGIN_MS 1000 /* of the call's time, for the answer and for ending what is left */

struct drain {
	struct rpc_call *call;
	struct event *timer;
	uint32_t worker;
	bool wait;         /* for the end of its connections, too */
	bool end;          /* those that are left then */
	uint64_t until_ns; /* the worker is waited for until then */
	void (*answer)(struct drain *d, uint64_t ended);
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static const struct sl_root *root_of(const struct drain *d)
{
	return rpc_call_ctrl(d->call)->root;
}

/* ---- the end ---- */

static void answer_drain(struct drain *d, uint64_t ended)
{
	Sluice__V1__DrainWorkerResponse *m =
		rpc_message(d->call, &sluice__v1__drain_worker_response__descriptor);

	if (m) {
		m->worker = worker_view(d->call, d->worker);
		m->ended = ended;
	}
	rpc_reply(d->call, m);
}

static void answer_resume(struct drain *d, uint64_t ended)
{
	Sluice__V1__ResumeWorkerResponse *m =
		rpc_message(d->call, &sluice__v1__resume_worker_response__descriptor);

	(void)ended;
	if (m)
		m->worker = worker_view(d->call, d->worker);
	rpc_reply(d->call, m);
}

static void on_ended(void *arg, const struct ended *ended)
{
	struct drain *d = arg;

	d->answer(d, ended->connections);
}

static void finish(struct drain *d)
{
	static const struct sl_conn_filter all = {
		.virtual_server = SL_REF_NONE,
		.backend = SL_REF_NONE,
	};

	event_free(d->timer);
	if (!rpc_call_wanted(d->call))
		rpc_reply(d->call, NULL); /* to nobody */
	else if (!drain_agreed(root_of(d), d->worker))
		rpc_fail(d->call, PROBLEM_UNAVAILABLE,
			 "workers[%u]: it is not in its loop; it will be as it was told when it is",
			 d->worker);
	else if (d->end && drain_connections(root_of(d)->worker[d->worker]))
		end_connections(d->call, &all, UINT32_C(1) << d->worker, on_ended, d);
	else
		d->answer(d, 0);
}

static bool is_done(const struct drain *d)
{
	return drain_agreed(root_of(d), d->worker) &&
	       (!d->wait || !drain_connections(root_of(d)->worker[d->worker]));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct drain *d = arg;

	(void)fd;
	(void)what;
	if (is_done(d) || now_ns() >= d->until_ns || !rpc_call_wanted(d->call))
		finish(d);
}

/* ---- the beginning ---- */

/* Wait for what `d` says, for so many milliseconds. */
static void begin(struct rpc_call *call, const struct drain *asked, uint32_t ms)
{
	static const struct timeval interval = {0, POLL_MS * 1000};
	struct drain *d = rpc_alloc(call, sizeof(*d));

	if (d) {
		*d = *asked;
		d->call = call;
		d->until_ns = now_ns() + ms * UINT64_C(1000000);
		d->timer = event_new(rpc_call_ctrl(call)->base, -1, EV_PERSIST, on_timer, d);
	}
	if (d && d->timer && !event_add(d->timer, &interval))
		return;
	rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory to wait for the worker");
}

/* What a call may wait for the worker. */
static uint32_t patience(const struct rpc_call *call)
{
	uint32_t left = rpc_call_time_left(call);

	return left > 2 * MARGIN_MS ? left - MARGIN_MS : left / 2;
}

static void set_drained(struct rpc_call *call, uint32_t worker, bool drained)
{
	struct sl_root *root = rpc_call_ctrl(call)->root;
	uint32_t bit = UINT32_C(1) << worker;

	__atomic_store_n(&root->drained, drained ? root->drained | bit : root->drained & ~bit,
			 __ATOMIC_RELEASE);
}

/* False: the refusal has been sent. */
static bool is_worker(struct rpc_call *call, bool given, uint32_t id)
{
	uint32_t n_workers = rpc_call_ctrl(call)->root->n_workers;

	if (given)
		rpc_call_about(call, rpc_format(call, "workers/%u", id));
	if (!given)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "id: missing");
	else if (id >= n_workers)
		rpc_fail(call, PROBLEM_NOT_FOUND, "workers[%u]: there are %u workers", id,
			 n_workers);
	return given && id < n_workers;
}

/* Would anybody open connections then? */
static bool others_open(const struct sl_root *root, uint32_t worker)
{
	uint32_t all = (UINT32_C(1) << root->n_workers) - 1;

	return ((root->drained | UINT32_C(1) << worker) & all) != all;
}

void worker_drain(struct rpc_call *call)
{
	const Sluice__V1__DrainWorkerRequest *request = (const void *)rpc_call_request(call);
	bool given = request->optional_id_case == SLUICE__V1__DRAIN_WORKER_REQUEST__OPTIONAL_ID_ID;
	uint32_t wait_ms = request->wait_seconds * 1000;
	const struct drain d = {
		.worker = request->id,
		.wait = wait_ms != 0,
		.end = request->end_remaining,
		.answer = answer_drain,
	};

	if (!is_worker(call, given, request->id))
		return;
	if (request->wait_seconds > WAIT_MAX || wait_ms > patience(call)) {
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
			 "wait_seconds: %u is over %u, or over what the call's time leaves",
			 request->wait_seconds, WAIT_MAX);
	} else if (!others_open(rpc_call_ctrl(call)->root, request->id)) {
		rpc_fail(call, PROBLEM_FAILED_PRECONDITION,
			 "workers[%u]: the last one that opens connections is not drained",
			 request->id);
	} else {
		set_drained(call, request->id, true);
		begin(call, &d, wait_ms ?: patience(call));
	}
}

void worker_resume(struct rpc_call *call)
{
	const Sluice__V1__ResumeWorkerRequest *request = (const void *)rpc_call_request(call);
	bool given = request->optional_id_case == SLUICE__V1__RESUME_WORKER_REQUEST__OPTIONAL_ID_ID;
	const struct drain d = {.worker = request->id, .answer = answer_resume};

	if (!is_worker(call, given, request->id))
		return;
	set_drained(call, request->id, false);
	begin(call, &d, patience(call));
}
