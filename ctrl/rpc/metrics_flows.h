/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The families of virtual servers, SNAT policies and backends. They come one after another, so all
 * figures are read first and kept, within what requests may hold: one resource's are of one
 * instant, and every family has the same resources (flows.h says which, when the configuration
 * changes meanwhile). Both are done in slices.
 */
#ifndef CTRL_RPC_METRICS_FLOWS_H
#define CTRL_RPC_METRICS_FLOWS_H

#include "ctrl/rpc/arena.h"
#include "ctrl/rpc/flows.h"
#include "ctrl/rpc/metrics_text.h"

#define METRICS_FLOW_KINDS 3

struct metrics_row;

struct metrics_flows {
	const struct ctrl *ctrl;
	struct rpc_arena arena;
	struct metrics_row *first[METRICS_FLOW_KINDS], **last;
	size_t n;               /* of the kind being read */
	unsigned int room;      /* samples that may yet be kept */
	uint64_t left_out;      /* samples of those that were not */
	unsigned int kind;      /* being read, then being written */
	struct flows_cursor at; /* reading */
	bool full;
	unsigned int family;            /* writing */
	const struct metrics_row *next; /* of the family; NULL: its head */
	bool in_family;
};

/* In place, to be cleared. `room` is of samples. */
void metrics_flows_init(struct metrics_flows *f, const struct ctrl *ctrl, struct rpc_budget *budget,
			unsigned int room);
void metrics_flows_clear(struct metrics_flows *f);

/* A turn's reading. False: it was the last. */
bool metrics_flows_read(struct metrics_flows *f);

/* A turn's writing, when all is read. False: it was the last. */
bool metrics_flows_write(struct metrics_flows *f, struct metrics_text *text);

#endif
