/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET /metrics: statistics in Prometheus' text format (prometheus.io/docs/instrumenting,
 * "Exposition formats", 0.0.4), for viewers. The number of samples is bounded; a family that has no
 * room is cut, and what is left out is counted in sluice_metrics_left_out.
 *
 *   scrape         the request and its answer, which is made in slices and sent as they are taken
 *   metrics        the appliance's own families
 *   metrics_flows  those of virtual servers, SNAT policies and backends
 *   metrics_text   samples as lines
 */
#ifndef CTRL_RPC_METRICS_H
#define CTRL_RPC_METRICS_H

#include "ctrl/ctrl.h"
#include "ctrl/rpc/http.h"

struct metrics_text;
struct rpc_budget;

struct metrics {
	const struct ctrl *ctrl;
	const struct http_server *server;
	struct rpc_budget *budget;
	unsigned int samples_max;
};

/* Is it asked for? Then it is seen to. */
bool metrics_request(const struct metrics *metrics, struct http_exchange *x);

void metrics_write_appliance(const struct metrics *metrics, struct metrics_text *text);

#endif
