/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration worked out and checked as a whole, ready to be written as a snapshot. The
 * rules that concern more than one resource are checked here:
 *
 *   already_exists       two resources claim the same address, endpoint or prefix
 *   failed_precondition  what a resource relies on is not there: a pool, a link, a route
 *   resource_exhausted   more than the boot configuration has room for
 *
 * A plan is kept between compilations and brought up to date: routes, own addresses, the list of
 * virtual servers and each pool are parts, made again only when a resource was touched
 * that they are made of (model.touched). A part that could not be made counts as not made.
 * What comes out follows from the model alone, whatever the plan was before.
 */
#ifndef CTRL_PLAN_H
#define CTRL_PLAN_H

#include <stdint.h>

#include <sluice/snapshot.h>

#include "ctrl/cycles.h"
#include "ctrl/model.h"
#include "ctrl/own.h"
#include "ctrl/routes.h"

/* Part of an array. */
struct plan_range {
	uint32_t first;
	uint32_t n;
};

#define PLAN_IPV4 0x1
#define PLAN_IPV6 0x2
#define PLAN_BOTH (PLAN_IPV4 | PLAN_IPV6)

static inline uint8_t plan_family(const struct sl_addr *addr)
{
	return sl_addr_is_v4(addr) ? PLAN_IPV4 : PLAN_IPV6;
}

/* A backend pool. */
struct plan_pool {
	char name[RESOURCE_NAME_MAX + 1];
	uint32_t place;             /* model_pool_place */
	uint64_t made;              /* model.touches when the backends were read; 0: not yet */
	uint64_t checked;           /* plan.ground against which their routes were checked */
	struct sl_backend *backend; /* as the snapshot has them */
	uint32_t n;
	uint8_t families[SL_MODE_MAX];     /* PLAN_*: of its backends in a mode */
	uint16_t tunnel_mtu;               /* of its narrowest tunnel; UINT16_MAX: it has none */
	uint32_t narrowest;                /* the backend to which that leads */
	uint32_t first;                    /* in the snapshot, when it is there */
	uint32_t slow_start;               /* seconds */
	uint32_t mh_table_size;            /* as configured */
	bool used[SL_SCHED_MAX];           /* by virtual servers with this scheduler */
	struct cycle *cycle[SL_SCHED_MAX]; /* of those that are used */
};

/* A local address pool. */
struct plan_local {
	const struct resource *pool;
	struct plan_range addresses; /* in the snapshot's local addresses and lists */
	uint32_t n_ipv4;             /* of these, which stand first in the list */
};

#define PLAN_NO_LOCAL UINT32_MAX

/* A family's part of the list. */
static inline struct plan_range plan_locals(const struct plan_local *local, bool ipv6)
{
	uint32_t first = local->addresses.first;

	return ipv6 ? (struct plan_range){first + local->n_ipv4, local->addresses.n - local->n_ipv4}
		    : (struct plan_range){first, local->n_ipv4};
}

/* A SNAT policy. */
struct plan_snat {
	const struct resource *policy;
	struct plan_range addresses; /* IPv6's, in the snapshot's local addresses' lists, */
	uint16_t n_ipv4;             /* right behind so many of IPv4 */
	uint32_t port_mask;          /* ports that its packets come in by */
};

struct plan_server {
	const struct resource *server;
	uint32_t pool;  /* in plan.pool */
	uint32_t local; /* in plan.local; PLAN_NO_LOCAL: none */
};

/* An endpoint: has a place of its own among the snapshot's virtual servers. */
struct plan_endpoint {
	const struct plan_server *of;
	const struct resource_endpoint *at;
};

struct plan {
	const struct model *model;

	struct routes routes;
	uint64_t routes_made; /* model.touches when it was made; 0: it isn't */
	struct own own;
	uint64_t own_made;
	uint64_t ground;           /* counts what was made of these two */
	uint64_t gateways_checked; /* the ground against which */

	struct plan_pool *pool; /* sorted by name */
	uint32_t n_pools;
	uint64_t pools_made; /* of the list */
	struct plan_local *local;
	uint32_t n_locals;
	uint32_t n_local_addresses;
	struct plan_server *server;
	uint32_t n_servers;
	struct plan_endpoint *endpoint;
	uint32_t n_endpoints;
	uint32_t *server_hash; /* of those with one port: position + 1, as in the snapshot */
	uint32_t server_places;
	struct sl_port_range *range; /* of the others, as in the snapshot */
	uint32_t n_ranges;
	struct sl_port_ranges *ranges_hash;
	uint32_t ranges_places;
	bool quiescent;         /* a server ends connections to drained backends */
	bool persistent;        /* a server has persistence */
	uint64_t servers_made;  /* of these and of the local address pools */
	struct plan_snat *snat; /* in the order in which they are asked */
	uint32_t n_snat;
	uint32_t n_snat_prefixes; /* of all */
	uint64_t snat_made;
	struct cycles *cycles;

	/* Of the pools in use. */
	uint32_t n_backends;
	struct cycle **cycle; /* each once, in the order of the pools; room for all schedulers' of a
				 pool */
	uint32_t n_cycles;
	uint64_t n_picks; /* of all cycles */
	uint64_t updates;
};

struct plan *plan_new(const struct model *model);
void plan_free(struct plan *plan);

/* Bring it up to date. -EINVAL with *why. */
int plan_update(struct plan *plan, struct problem *why);

/*
 * The model is again what it was at the last update, which went well: the same resources were
 * taken out and put in. So all parts are up to date.
 */
void plan_keep(struct plan *plan);

/* ---- ctrl/plan_pools.c ---- */

/* The list of pools, without what is in them. */
int plan_list_pools(struct plan *plan, struct problem *why);
void plan_free_pools(struct plan *plan);

static inline bool plan_pool_used(const struct plan_pool *pool)
{
	for (int s = 0; s < SL_SCHED_MAX; s++)
		if (pool->used[s])
			return true;
	return false;
}

/* NULL when there is none. */
struct plan_pool *plan_find_pool(const struct plan *plan, const char *name);

/* A local address pool; NULL when there is none. */
const struct plan_local *plan_find_local(const struct plan *plan, const char *name);

/* What is in the pools: backends, checked, and cycles, placed. */
int plan_fill_pools(struct plan *plan, struct problem *why);

/* The nth backend of a pool. */
const struct resource *plan_nth_backend(const struct plan *plan, const struct plan_pool *pool,
					uint32_t n);

/* ---- ctrl/plan_endpoints.c ---- */

/* Endpoints of the servers, and what leads to them; each port of an address leads to one. */
int plan_list_endpoints(struct plan *plan, struct problem *why);
void plan_free_endpoints(struct plan *plan);

#define PLAN_ENDPOINT_TEXT 80

/* "192.0.2.80 port 80 tcp"; returns out, of PLAN_ENDPOINT_TEXT. */
const char *plan_endpoint_text(const struct resource_endpoint *e, char *out);

/* ---- ctrl/plan_snat.c ---- */

/* The list of policies, checked. The local address pools are listed. */
int plan_list_snat(struct plan *plan, struct problem *why);

/* ---- ctrl/compile_snat.c ---- */

/* Write them, into a snapshot that has their places. */
void compile_snat(struct sl_snapshot *s, const struct plan *plan);

/* ---- ctrl/plan_modes.c ---- */

/* What the backends' forwarding modes ask of virtual servers. */
int plan_check_modes(const struct plan *plan, struct problem *why);

#endif
