/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration worked out and checked as a whole, ready to be written as a snapshot. The
 * rules that concern more than one resource are checked here:
 *
 *   already_exists       two resources claim the same address, endpoint or prefix
 *   failed_precondition  what a resource relies on is not there: a pool, a link, a route
 *   resource_exhausted   more than the boot configuration has room for
 */
#ifndef CTRL_PLAN_H
#define CTRL_PLAN_H

#include <stdint.h>

#include <sluice/snapshot.h>

#include "ctrl/model.h"
#include "ctrl/own.h"
#include "ctrl/routes.h"

/* Part of an array. */
struct plan_range {
	uint32_t first;
	uint32_t n;
};

/* A backend pool. One that no virtual server uses has no cycle and no backends here. */
struct plan_pool {
	const struct resource *pool;
	struct plan_range backends;            /* in plan.backend */
	struct plan_range cycle[SL_SCHED_MAX]; /* in the snapshot's cycles */
	bool has_cycle[SL_SCHED_MAX];
};

/* A local address pool. */
struct plan_local {
	const struct resource *pool;
	struct plan_range addresses; /* in the snapshot's local addresses */
};

struct plan_server {
	const struct resource *server;
	uint32_t pool;  /* in plan.pool */
	uint32_t local; /* in plan.local */
};

struct plan {
	const struct model *model;
	struct routes routes;
	struct own own;
	struct plan_server *server;
	uint32_t n_servers;
	uint32_t *server_hash; /* position + 1, as in the snapshot */
	uint32_t server_places;
	struct plan_pool *pool;
	uint32_t n_pools;
	struct plan_local *local;
	uint32_t n_locals;
	uint32_t n_local_addresses;
	const struct resource **backend;
	uint16_t *weight; /* beside backend */
	uint32_t n_backends;
	uint64_t n_picks; /* of all cycles */
};

/* -EINVAL with *why; to be freed in any case. */
int plan_make(struct plan *plan, const struct model *model, struct problem *why);
void plan_free(struct plan *plan);

#endif
