/* SPDX-License-Identifier: BSD-3-Clause */
/* All statistics, once: an answer in parts. The next is made when the client has taken some. */
#include <stddef.h>
#include <stdlib.h>

#include "ctrl/rpc/services.h"
#include "ctrl/rpc/stats.h"
#include "ctrl/slices.h"

struct get {
	struct slice slice;
	struct slices *slices;
	struct stats_walk walk;
};

static void get_free(struct get *g)
{
	slices_remove(g->slices, &g->slice);
	free(g);
}

static void run(struct slice *slice)
{
	struct get *g = (struct get *)((char *)slice - offsetof(struct get, slice));
	struct rpc_call *call = g->walk.call;
	bool sent;

	if (!rpc_stream_ready(call))
		return; /* on_ready() */
	stats_walk_slice(&g->walk);
	sent = rpc_send_part(call, g->walk.failed ? NULL : stats_walk_take(&g->walk));
	if (sent && !g->walk.ended) {
		slices_add(g->slices, slice);
		return;
	}
	get_free(g);
	if (sent)
		rpc_end(call);
}

static void on_ready(struct rpc_call *call, void *arg)
{
	struct get *g = arg;

	(void)call;
	slices_add(g->slices, &g->slice);
}

static void on_gone(struct rpc_call *call, void *arg)
{
	(void)call;
	get_free(arg);
}

void stats_get(struct rpc_call *call)
{
	struct get *g = calloc(1, sizeof(*g));
	const struct rpc_stream stream = {on_ready, on_gone, g};

	if (!g) {
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the statistics");
		return;
	}
	g->slices = rpc_call_ctrl(call)->slices;
	g->slice.run = run;
	g->walk.call = call;
	stats_walk_begin(&g->walk);
	rpc_stream_start(call, &stream);
	run(&g->slice);
}
