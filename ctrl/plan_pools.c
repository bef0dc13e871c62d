/* SPDX-License-Identifier: BSD-3-Clause */
/* The pools of a plan. Almost all of a large configuration is in them. */
#include "ctrl/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/tunnel.h>

#include "ctrl/address.h"
#include "ctrl/cycle.h"
#include "ctrl/maglev.h"
#include "ctrl/ring.h"

static int no_memory(struct problem *why)
{
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
}

static void drop_cycles(struct plan_pool *pool)
{
	for (int s = 0; s < SL_SCHED_MAX; s++) {
		cycles_put(pool->cycle[s]);
		pool->cycle[s] = NULL;
	}
}

static void clear_pool(struct plan_pool *pool)
{
	drop_cycles(pool);
	free(pool->backend);
}

void plan_free_pools(struct plan *plan)
{
	for (uint32_t p = 0; p < plan->n_pools; p++)
		clear_pool(&plan->pool[p]);
	free(plan->pool);
}

/* ---- the list: both old and new are sorted, what is in both is kept ---- */

static void take_settings(struct plan_pool *pool, const struct resource *r)
{
	if (pool->mh_table_size != r->backend_pool.mh_table_size) {
		cycles_put(pool->cycle[SL_SCHED_MH]);
		pool->cycle[SL_SCHED_MH] = NULL;
	}
	pool->slow_start = r->backend_pool.slow_start;
	pool->mh_table_size = r->backend_pool.mh_table_size;
}

int plan_list_pools(struct plan *plan, struct problem *why)
{
	const struct resource *r = model_after(plan->model, RESOURCE_BACKEND_POOL, "");
	size_t count = plan->model->count[RESOURCE_BACKEND_POOL];
	struct plan_pool *list = calloc(count + 1, sizeof(*list)), *old = plan->pool;
	struct plan_pool *end = old + plan->n_pools;
	uint32_t n = 0;

	if (!list)
		return no_memory(why);
	for (; r; r = model_next(r), n++) {
		while (old < end && strcmp(old->name, r->name) < 0)
			clear_pool(old++);
		if (old < end && !strcmp(old->name, r->name)) {
			list[n] = *old++;
			take_settings(&list[n], r);
			continue;
		}
		memcpy(list[n].name, r->name, strlen(r->name) + 1);
		list[n].place = model_pool_place(r->name);
		take_settings(&list[n], r);
	}
	while (old < end)
		clear_pool(old++);
	free(plan->pool);
	plan->pool = list;
	plan->n_pools = n;
	return 0;
}

static int by_name(const void *name, const void *pool)
{
	return strcmp(name, ((const struct plan_pool *)pool)->name);
}

struct plan_pool *plan_find_pool(const struct plan *plan, const char *name)
{
	return bsearch(name, plan->pool, plan->n_pools, sizeof(*plan->pool), by_name);
}

/* ---- backends ---- */

const struct resource *plan_nth_backend(const struct plan *plan, const struct plan_pool *pool,
					uint32_t n)
{
	const struct resource *b = model_backends(plan->model, pool->name);

	while (n--)
		b = model_next_backend(b);
	return b;
}

struct endpoint {
	struct sl_addr addr;
	uint32_t port;
	uint32_t position;
};
#define ENDPOINT_KEY offsetof(struct endpoint, position)

static int by_endpoint(const void *a, const void *b)
{
	const struct endpoint *x = a, *y = b;

	int rc = memcmp(x, y, ENDPOINT_KEY);

	if (rc)
		return rc;
	return x->position < y->position ? -1 : x->position > y->position;
}

static int report_twice(const struct plan *plan, const struct plan_pool *pool, uint32_t a,
			uint32_t b, struct problem *why)
{
	char one[RESOURCE_PATH_SIZE], other[RESOURCE_PATH_SIZE], text[ADDRESS_TEXT_SIZE];

	return problem_set(
		why, PROBLEM_ALREADY_EXISTS, "%s: %s port %u is also %s",
		resource_path(RESOURCE_BACKEND, plan_nth_backend(plan, pool, b)->name, one),
		address_text(&pool->backend[b].addr, text), ntohs(pool->backend[b].port),
		resource_path(RESOURCE_BACKEND, plan_nth_backend(plan, pool, a)->name, other));
}

/* Each (address, port) once in its pool. */
static int check_twice(const struct plan *plan, const struct plan_pool *pool, struct problem *why)
{
	struct endpoint *list = malloc((pool->n + 1) * sizeof(*list));
	int rc = 0;

	if (!list)
		return no_memory(why);
	for (uint32_t i = 0; i < pool->n; i++)
		list[i] = (struct endpoint){pool->backend[i].addr, pool->backend[i].port, i};
	qsort(list, pool->n, sizeof(*list), by_endpoint);
	for (uint32_t i = 1; i < pool->n && !rc; i++)
		if (!memcmp(&list[i - 1], &list[i], ENDPOINT_KEY))
			rc = report_twice(plan, pool, list[i - 1].position, list[i].position, why);
	free(list);
	return rc;
}

/*
 * *at is where the pool's backends may begin, because the pool before ended there; it is left
 * behind them.
 */
static int read_backends(const struct plan *plan, struct plan_pool *pool,
			 const struct resource **at, struct problem *why)
{
	const struct resource *self = model_find(plan->model, RESOURCE_BACKEND_POOL, pool->name);
	const struct resource *first = *at, *b;
	uint32_t n = 0;

	if (!first || !resource_in_pool(first, pool->name))
		first = model_backends(plan->model, pool->name);
	for (b = first; b && resource_in_pool(b, pool->name); b = model_next(b))
		n++;
	free(pool->backend);
	pool->n = n;
	pool->backend = malloc((n + 1) * sizeof(*pool->backend));
	if (!pool->backend)
		return no_memory(why);
	memset(pool->families, 0, sizeof(pool->families));
	b = first;
	for (uint32_t i = 0; i < n; i++, b = model_next(b)) {
		uint8_t mode = b->backend.mode;

		if (mode == SL_MODE_MAX)
			mode = self->backend_pool.mode;
		pool->families[mode] |= plan_family(&b->backend.addr);
		pool->backend[i] = (struct sl_backend){
			.ref = b->ref,
			.addr = b->backend.addr,
			.port = b->backend.port,
			.weight = b->backend.weight,
			.mode = mode,
			.resume = b->backend.resume,
			.max_connections = b->backend.max_connections,
			.tunnel_port = b->backend.tunnel_port,
		};
	}
	*at = b;
	return check_twice(plan, pool, why);
}

static int check_route(const struct plan *plan, const struct plan_pool *pool, uint32_t position,
		       struct problem *why)
{
	const struct sl_addr *addr = &pool->backend[position].addr;
	const struct sl_next_hop *hop = routes_find(&plan->routes, addr);
	char path[RESOURCE_PATH_SIZE], text[ADDRESS_TEXT_SIZE];
	const char *wrong;

	if (own_find(&plan->own, addr))
		wrong = "is the appliance's own";
	else if (!hop)
		wrong = "has no route";
	else if (hop->flags & SL_ROUTE_BLACKHOLE)
		wrong = "has a route that is a blackhole";
	else if (!sl_addr_is_none(&hop->gateway) && pool->backend[position].mode == SL_MODE_DR)
		wrong = "is behind a gateway: in mode dr it has to be on the link of an interface";
	else
		return 0;
	return problem_set(
		why, PROBLEM_FAILED_PRECONDITION, "%s.address: %s %s",
		resource_path(RESOURCE_BACKEND, plan_nth_backend(plan, pool, position)->name, path),
		address_text(addr, text), wrong);
}

/* Bytes that the tunnel to a backend has room for; UINT16_MAX: it is reached by none. */
static uint16_t tunnel_mtu(const struct plan *plan, const struct sl_backend *b)
{
	uint8_t overhead = sl_tunnel_overheads[!sl_addr_is_v4(&b->addr)][b->mode];

	return overhead ? (uint16_t)(routes_find(&plan->routes, &b->addr)->mtu - overhead)
			: UINT16_MAX;
}

static int check_routes(const struct plan *plan, struct plan_pool *pool, struct problem *why)
{
	pool->checked = 0;
	pool->tunnel_mtu = UINT16_MAX;
	for (uint32_t i = 0; i < pool->n; i++) {
		uint16_t mtu;

		if (check_route(plan, pool, i, why))
			return -EINVAL;
		mtu = tunnel_mtu(plan, &pool->backend[i]);
		if (mtu < pool->tunnel_mtu) {
			pool->tunnel_mtu = mtu;
			pool->narrowest = i;
		}
	}
	pool->checked = plan->ground;
	return 0;
}

/* ---- cycles ---- */

static int make_cycle(struct plan *plan, struct plan_pool *pool, enum sl_scheduler scheduler,
		      struct problem *why)
{
	const struct cycle_recipe recipe = {scheduler, pool->mh_table_size, pool->n, pool->backend};
	uint64_t length = 0;

	pool->cycle[scheduler] = cycles_get(plan->cycles, &recipe, &length);
	if (pool->cycle[scheduler])
		return 0;
	if (errno != E2BIG)
		return no_memory(why);
	return problem_set(why, PROBLEM_INVALID_ARGUMENT,
			   "backend_pools[%s]: the weights, divided by their greatest "
			   "common divisor, add up to %llu, over %d",
			   pool->name, (unsigned long long)length, CYCLE_MAX);
}

static uint32_t mh_size(const struct plan_pool *pool)
{
	return pool->mh_table_size ? pool->mh_table_size : MAGLEV_SIZE_MAX;
}

/* Tables of consistent hashing have room for so many backends. */
static int check_hash_tables(const struct plan_pool *pool, struct problem *why)
{
	if (pool->used[SL_SCHED_CONHASH] && pool->n > RING_BACKENDS_MAX)
		return problem_set(
			why, PROBLEM_INVALID_ARGUMENT,
			"backend_pools[%s]: %u backends, over %d, which is what scheduler "
			"conhash takes",
			pool->name, pool->n, RING_BACKENDS_MAX);
	if (pool->used[SL_SCHED_MH] && pool->n > mh_size(pool))
		return problem_set(why, PROBLEM_INVALID_ARGUMENT,
				   "backend_pools[%s].mh_table_size: %u is under the number of "
				   "backends, %u",
				   pool->name, mh_size(pool), pool->n);
	return 0;
}

/* A cycle stands where the first pool that has it would put it. */
static void place_cycle(struct plan *plan, struct cycle *cycle)
{
	if (cycle->placed == plan->updates)
		return;
	cycle->placed = plan->updates;
	cycle->first = plan->n_picks;
	plan->n_picks += cycle->length;
	plan->cycle[plan->n_cycles++] = cycle;
}

static int fill_cycles(struct plan *plan, struct plan_pool *pool, struct problem *why)
{
	for (int s = 0; s < SL_SCHED_MAX; s++) {
		if (!pool->used[s]) {
			cycles_put(pool->cycle[s]);
			pool->cycle[s] = NULL;
			continue;
		}
		if (!pool->cycle[s] && make_cycle(plan, pool, s, why))
			return -EINVAL;
		place_cycle(plan, pool->cycle[s]);
	}
	return 0;
}

/* ---- all of it ---- */

/* Endpoints are unique in every pool; only those in use need routes, and are in the snapshot. */
static int fill_pool(struct plan *plan, struct plan_pool *pool, const struct resource **at,
		     struct problem *why)
{
	if (!pool->made || plan->model->pool_touched[pool->place] > pool->made) {
		drop_cycles(pool);
		pool->made = 0;
		pool->checked = 0;
		if (read_backends(plan, pool, at, why))
			return -EINVAL;
		pool->made = plan->model->touches;
	}
	if (!plan_pool_used(pool)) {
		drop_cycles(pool);
		return 0;
	}
	if (pool->checked != plan->ground && check_routes(plan, pool, why))
		return -EINVAL;
	if (check_hash_tables(pool, why))
		return -EINVAL;
	pool->first = plan->n_backends;
	plan->n_backends += pool->n;
	return fill_cycles(plan, pool, why);
}

int plan_fill_pools(struct plan *plan, struct problem *why)
{
	const struct resource *at = NULL;
	int rc = 0;

	plan->updates++;
	plan->n_backends = plan->n_cycles = 0;
	plan->n_picks = 0;
	for (uint32_t p = 0; p < plan->n_pools && !rc; p++)
		rc = fill_pool(plan, &plan->pool[p], &at, why);
	return rc;
}
