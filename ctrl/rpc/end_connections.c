/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/end_connections.h"

#include <time.h>

#include <event2/event.h>

#include <sluice/shm.h>

#include "ctrl/commands.h"

#define POLL_MS   1
#define MARGIN_MS 100 /* of the call's time, for the answer */
#define GRACE_NS  UINT64_C(20000000)

struct deletion {
	struct rpc_call *call;
	struct commands *commands;
	struct commands_waiter waiter;
	struct event *timer;
	struct sl_command command;
	uint32_t waiting; /* workers that have not answered, a bit each */
	uint32_t unfinished;
	uint32_t incarnation[SL_MAX_WORKERS]; /* that was asked */
	uint64_t ended;
	end_connections_fn done;
	void *arg;
};

static struct deletion *under_way;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void on_answer(void *arg, unsigned int worker, const struct sl_answer *answer)
{
	struct deletion *d = arg;
	uint32_t bit = UINT32_C(1) << worker;

	if (!(d->waiting & bit))
		return;
	d->waiting &= ~bit;
	d->ended += answer->value;
	if (answer->status)
		d->unfinished |= bit;
}

static void ask(struct deletion *d, unsigned int worker)
{
	struct sl_worker_slot *slot = rpc_call_ctrl(d->call)->root->worker[worker];

	d->incarnation[worker] = __atomic_load_n(&slot->worker.incarnation, __ATOMIC_RELAXED);
	commands_send(d->commands, worker, d->command);
}

/* ---- the end ---- */

static void finish(struct deletion *d)
{
	const struct ended ended = {d->ended, d->unfinished | d->waiting};

	under_way = NULL;
	commands_forget(&d->waiter);
	event_free(d->timer);
	d->done(d->arg, &ended);
}

/* A worker that is alive says so a moment after its time was up. */
static bool is_over(const struct deletion *d)
{
	return now_ns() >= d->command.end.until_ns + GRACE_NS;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct deletion *d = arg;
	const struct sl_root *root = rpc_call_ctrl(d->call)->root;

	(void)fd;
	(void)what;
	commands_collect(d->commands);
	for (unsigned int w = 0; w < root->n_workers; w++)
		if (d->waiting & UINT32_C(1) << w &&
		    root->worker[w]->worker.incarnation != d->incarnation[w])
			ask(d, w);
	if (!d->waiting || is_over(d) || !rpc_call_wanted(d->call))
		finish(d);
}

/* ---- the beginning ---- */

static struct deletion *deletion_new(struct rpc_call *call, const struct sl_conn_filter *filter)
{
	struct deletion *d = rpc_alloc(call, sizeof(*d));
	uint32_t left = rpc_call_time_left(call);

	if (!d)
		return NULL;
	*d = (struct deletion){
		.call = call,
		.commands = rpc_call_ctrl(call)->commands,
		.waiter = {.answered = on_answer, .arg = d},
		.command = {.type = SL_COMMAND_END_CONNECTIONS, .end.filter = *filter},
	};
	left -= left > 2 * MARGIN_MS ? MARGIN_MS : left / 2;
	d->command.end.until_ns = now_ns() + left * UINT64_C(1000000);
	d->timer = event_new(rpc_call_ctrl(call)->base, -1, EV_PERSIST, on_timer, d);
	return d->timer ? d : NULL;
}

static void begin(struct deletion *d, uint32_t workers)
{
	static const struct timeval interval = {0, POLL_MS * 1000};
	const struct sl_root *root = rpc_call_ctrl(d->call)->root;

	under_way = d;
	commands_wait(d->commands, &d->waiter);
	d->command.id = d->waiter.id;
	d->waiting = workers;
	for (unsigned int w = 0; w < root->n_workers; w++)
		if (workers & UINT32_C(1) << w)
			ask(d, w);
	event_add(d->timer, &interval);
}

uint32_t end_connections_all(const struct rpc_call *call)
{
	return (UINT32_C(1) << rpc_call_ctrl(call)->root->n_workers) - 1;
}

bool end_connections(struct rpc_call *call, const struct sl_conn_filter *filter, uint32_t workers,
		     end_connections_fn done, void *arg)
{
	struct deletion *d = under_way ? NULL : deletion_new(call, filter);

	if (under_way) {
		rpc_fail(call, PROBLEM_UNAVAILABLE,
			 "connections are being ended for another call: try again");
	} else if (!d) {
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory to wait for the workers");
	} else {
		d->done = done;
		d->arg = arg;
		begin(d, workers);
	}
	return d != NULL;
}
