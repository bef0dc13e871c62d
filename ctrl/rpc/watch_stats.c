/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statistics after each interval. A tick that finds the client still busy with what it was sent is
 * left out: figures are sums and gauges, so that the next one says all.
 */
#include <stdlib.h>

#include <event2/event.h>

#include "ctrl/rpc/call.h"
#include "ctrl/rpc/services.h"
#include "ctrl/rpc/stats.h"
#include "sluice/v1/stats.pb-c.h"

#define INTERVAL_MS     1000
#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 60000

struct watch {
	struct rpc_call *call;
	struct event *tick;
	struct stats_seen *seen; /* NULL: everything is sent */
	bool first;
};

static void watch_free(struct watch *w)
{
	if (w->tick)
		event_free(w->tick);
	stats_seen_free(w->seen);
	free(w);
}

static void send_stats(struct watch *w)
{
	Sluice__V1__WatchStatsResponse *m =
		rpc_message(w->call, &sluice__v1__watch_stats_response__descriptor);

	if (m) {
		m->complete = w->first || !w->seen;
		m->stats = stats_view(w->call, w->seen);
	}
	w->first = false;
	if (!rpc_send(w->call, m && m->stats ? m : NULL))
		watch_free(w);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	if (rpc_stream_ready(w->call))
		send_stats(w);
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
	struct rpc_stream stream = {.gone = on_gone};
	struct watch *w;

	if (ms < INTERVAL_MIN_MS || ms > INTERVAL_MAX_MS) {
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "interval_ms: %u is not in %u..%u", ms,
			 INTERVAL_MIN_MS, INTERVAL_MAX_MS);
		return;
	}
	w = stream.arg = calloc(1, sizeof(*w));
	if (w) {
		w->call = call;
		w->first = true;
		w->tick = event_new(ctrl->base, -1, EV_PERSIST, on_tick, w);
		w->seen = request->only_changed ? stats_seen_new(ctrl) : NULL;
	}
	if (!w || !w->tick || (request->only_changed && !w->seen) || event_add(w->tick, &every)) {
		if (w)
			watch_free(w);
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the watch");
		return;
	}
	rpc_stream_start(call, &stream);
	send_stats(w);
}
