/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Figures of virtual servers, SNAT policies and backends, of which there may be a hundred thousand:
 * read in slices, each within a turn of the event loop. One's figures are read together. The
 * configuration may change between two slices: what is there all the time is visited once, by the
 * order of names, what comes or goes meanwhile once or not at all.
 */
#ifndef CTRL_RPC_FLOWS_H
#define CTRL_RPC_FLOWS_H

#include <stdbool.h>

#include "ctrl/ctrl.h"
#include "ctrl/resource.h"
#include "sluice/v1/stats.pb-c.h"

#define FLOWS_SLICE 256 /* visited in a turn */

/* Where a walk over one kind has come to. */
struct flows_cursor {
	enum resource_kind kind;
	char after[RESOURCE_NAME_SIZE]; /* the last one visited; "": none */
};

/* Nothing of both may be kept; the figures' name is the resource's. False: visit no more now. */
typedef bool (*flow_fn)(void *arg, const struct resource *r, const Sluice__V1__FlowStats *figures);

/* Visit the next ones of the kind, up to FLOWS_SLICE, with figures summed over workers. False:
 * there are no more. */
bool flows_walk(const struct ctrl *ctrl, struct flows_cursor *at, flow_fn visit, void *arg);

/* What somebody has been shown of them all. NULL: no memory. */
struct flows_seen;
struct flows_seen *flows_seen_new(const struct ctrl *ctrl);
void flows_seen_free(struct flows_seen *seen);

/* Are these not the figures that were seen? They are, afterwards. */
bool flows_is_news(struct flows_seen *seen, const struct resource *r,
		   const Sluice__V1__FlowStats *figures);

#endif
