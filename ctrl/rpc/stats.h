/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTRL_RPC_STATS_H
#define CTRL_RPC_STATS_H

#include "ctrl/rpc/call.h"
#include "sluice/v1/stats.pb-c.h"

/* What somebody has been shown of virtual servers and backends. */
struct stats_seen;

/* NULL: no memory. */
struct stats_seen *stats_seen_new(const struct ctrl *ctrl);
void stats_seen_free(struct stats_seen *seen);

/*
 * All statistics; with `seen`, of virtual servers and backends only those whose figures are not
 * what was seen, which they are afterwards. NULL when the call's memory is used up.
 */
Sluice__V1__GetStatsResponse *stats_view(struct rpc_call *call, struct stats_seen *seen);

/* Figures of one of both kinds, summed over workers; `m` is initialized, and its name set. */
struct resource;
void stats_of_flow(Sluice__V1__FlowStats *m, const struct ctrl *ctrl, const struct resource *r);

#endif
