/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics as messages, made slice by slice (ctrl/slices.h): what both methods share. */
#ifndef CTRL_RPC_STATS_H
#define CTRL_RPC_STATS_H

#include "ctrl/rpc/call.h"
#include "ctrl/rpc/flows.h"

#define STATS_FLOWS     FLOWS_SLICE /* of virtual servers and backends, enough for a message */
#define STATS_FLOWS_MAX (2 * FLOWS_SLICE)

/*
 * A walk over all statistics. Its messages, put together, are one: the first has what there is
 * once, workers, ports and drops.
 */
struct stats_walk {
	struct rpc_call *call;   /* whose memory messages are in; the caller sets it */
	struct flows_seen *seen; /* the caller's; NULL: all is news */
	Sluice__V1__GetStatsResponse *message; /* being made; NULL: taken */
	unsigned int flows;                    /* in it */
	unsigned int list;                     /* of which the walk is at */
	struct flows_cursor at;
	bool begun, ended, failed; /* failed: the call's memory is used up */
};

void stats_walk_begin(struct stats_walk *walk);

/* A turn's work: more for the message, which may be taken when it has STATS_FLOWS, or at the end.
 */
void stats_walk_slice(struct stats_walk *walk);

/* What has been made, to be sent before the next slice. */
const Sluice__V1__GetStatsResponse *stats_walk_take(struct stats_walk *walk);

#endif
