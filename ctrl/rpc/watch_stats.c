/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statistics after each interval, in slices: of many virtual servers and backends a tick is several
 * messages. One that finds the client still busy with what it was sent, or the last tick not at its
 * end, is left out: figures are sums and gauges, so that the next one says all.
 */
#include <stddef.h>
#include <stdlib.h>

#include <event2/event.h>

#include "ctrl/rpc/services.h"
#include "ctrl/rpc/stats.h"
#include "ctrl/slices.h"

#define INTERVAL_MS     1000
#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 60000

struct watch {
	struct rpc_call *call;
	struct event *tick;
	struct slice slice;
	struct slices *slices;
	struct stats_walk walk;
	bool walking;
	bool first; /* tick */
};

static void watch_free(struct watch *w)
{
	slices_remove(w->slices, &w->slice);
	if (w->tick)
		event_free(w->tick);
	flows_seen_free(w->walk.seen);
	free(w);
}

/* False: the call has been failed, and the watch is gone. */
static bool send_stats(struct watch *w)
{
	Sluice__V1__WatchStatsResponse *m =
		rpc_message(w->call, &sluice__v1__watch_stats_response__descriptor);

	if (m) {
		m->complete = w->first || !w->walk.seen;
		m->more = !w->walk.ended;
		m->stats = (Sluice__V1__GetStatsResponse *)stats_walk_take(&w->walk);
	}
	if (rpc_send(w->call, w->walk.failed ? NULL : m))
		return true;
	watch_free(w);
	return false;
}

static void run(struct slice *slice)
{
	struct watch *w = (struct watch *)((char *)slice - offsetof(struct watch, slice));
	struct stats_walk *walk = &w->walk;

	if (!rpc_stream_ready(w->call))
		return; /* on_ready() */
	stats_walk_slice(walk);
	if ((walk->failed || walk->ended || walk->flows >= STATS_FLOWS) && !send_stats(w))
		return;
	w->walking = !walk->ended;
	if (w->walking)
		slices_add(w->slices, slice);
	else
		w->first = false;
}

static void begin(struct watch *w)
{
	stats_walk_begin(&w->walk);
	w->walking = true;
	run(&w->slice);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	if (!w->walking && rpc_stream_ready(w->call))
		begin(w);
}

static void on_ready(struct rpc_call *call, void *arg)
{
	struct watch *w = arg;

	(void)call;
	if (w->walking)
		slices_add(w->slices, &w->slice);
}

static void on_gone(struct rpc_call *call, void *arg)
{
	(void)call;
	watch_free(arg);
}

void stats_watch(struct rpc_call *call)
{
	const Sluice__V1__WatchStatsRequest *request = (const void *)rpc_call_request(call);
	const struct ctrl *ctrl = rpc_call_ctrl(call);
	uint32_t ms = request->interval_ms ?: INTERVAL_MS;
	const struct timeval every = {ms / 1000, ms % 1000 * 1000};
	struct rpc_stream stream = {.ready = on_ready, .gone = on_gone};
	struct watch *w;

	if (ms < INTERVAL_MIN_MS || ms > INTERVAL_MAX_MS) {
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "interval_ms: %u is not in %u..%u", ms,
			 INTERVAL_MIN_MS, INTERVAL_MAX_MS);
		return;
	}
	w = stream.arg = calloc(1, sizeof(*w));
	if (w) {
		w->call = w->walk.call = call;
		w->slices = ctrl->slices;
		w->slice.run = run;
		w->first = true;
		w->tick = event_new(ctrl->base, -1, EV_PERSIST, on_tick, w);
		w->walk.seen = request->only_changed ? flows_seen_new(ctrl) : NULL;
	}
	if (!w || !w->tick || (request->only_changed && !w->walk.seen) ||
	    event_add(w->tick, &every)) {
		if (w)
			watch_free(w);
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the watch");
		return;
	}
	rpc_stream_start(call, &stream);
	begin(w);
}
