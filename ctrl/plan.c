/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/shm.h>

#include "ctrl/address.h"
#include "ctrl/cycle.h"
#include "sluice/v1/sluice.pb-c.h"

static const Sluice__V1__VirtualServer *message_of(const struct resource *server)
{
	return (const Sluice__V1__VirtualServer *)server->message;
}

static int allocate(struct plan *plan, struct problem *why)
{
	const size_t *count = plan->model->count;

	plan->server_places = rte_align32pow2(2 * count[RESOURCE_VIRTUAL_SERVER] + 1);
	plan->server = calloc(count[RESOURCE_VIRTUAL_SERVER] + 1, sizeof(*plan->server));
	plan->server_hash = calloc(plan->server_places, sizeof(*plan->server_hash));
	plan->pool = calloc(count[RESOURCE_BACKEND_POOL] + 1, sizeof(*plan->pool));
	plan->local = calloc(count[RESOURCE_LOCAL_ADDRESS_POOL] + 1, sizeof(*plan->local));
	plan->backend = calloc(count[RESOURCE_BACKEND] + 1, sizeof(*plan->backend));
	plan->weight = calloc(count[RESOURCE_BACKEND] + 1, sizeof(*plan->weight));
	if (plan->server && plan->server_hash && plan->pool && plan->local && plan->backend &&
	    plan->weight)
		return 0;
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- pools: all of them first, so that servers find theirs by a binary search ---- */

static void list_pools(struct plan *plan)
{
	const struct resource *r = model_after(plan->model, RESOURCE_BACKEND_POOL, "");

	for (; r; r = model_next(r))
		plan->pool[plan->n_pools++].pool = r;
	r = model_after(plan->model, RESOURCE_LOCAL_ADDRESS_POOL, "");
	for (; r; r = model_next(r)) {
		struct plan_local *local = &plan->local[plan->n_locals++];

		local->pool = r;
		local->addresses.first = plan->n_local_addresses;
		local->addresses.n = r->local.n;
		plan->n_local_addresses += r->local.n;
	}
}

/* Both kinds begin with the pool's resource. */
static int by_pool_name(const void *name, const void *element)
{
	return strcmp(name, (*(const struct resource *const *)element)->name);
}

static const void *find_pool(const char *name, const void *all, uint32_t n, size_t size)
{
	return bsearch(name, all, n, size, by_pool_name);
}

/* ---- virtual servers ---- */

static int find_pools(struct plan *plan, struct plan_server *s, struct problem *why)
{
	const Sluice__V1__VirtualServer *m = message_of(s->server);
	const struct plan_pool *pool =
		find_pool(m->backend_pool, plan->pool, plan->n_pools, sizeof(*plan->pool));
	const struct plan_local *local =
		find_pool(m->local_address_pool, plan->local, plan->n_locals, sizeof(*plan->local));

	if (!pool)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "virtual_servers[%s].backend_pool: there is no backend pool %s",
				   s->server->name, m->backend_pool);
	if (!local)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "virtual_servers[%s].local_address_pool: there is no local "
				   "address pool %s",
				   s->server->name, m->local_address_pool);
	s->pool = pool - plan->pool;
	s->local = local - plan->local;
	plan->pool[s->pool].has_cycle[s->server->virtual_server.scheduler] = true;
	return 0;
}

static bool same_endpoint(const struct resource *a, const struct resource *b)
{
	return a->virtual_server.addr == b->virtual_server.addr &&
	       a->virtual_server.port == b->virtual_server.port &&
	       a->virtual_server.proto == b->virtual_server.proto;
}

static int hash_server(struct plan *plan, uint32_t position, struct problem *why)
{
	const struct resource *r = plan->server[position].server, *other;
	uint32_t mask = plan->server_places - 1;
	uint32_t i = sl_virtual_hash(r->virtual_server.addr, r->virtual_server.port,
				     r->virtual_server.proto) &
		     mask;

	for (; plan->server_hash[i]; i = (i + 1) & mask) {
		other = plan->server[plan->server_hash[i] - 1].server;
		if (same_endpoint(r, other))
			return problem_set(why, PROBLEM_ALREADY_EXISTS,
					   "virtual_servers[%s]: %s port %u %s is also served by "
					   "virtual_servers[%s]",
					   r->name, message_of(r)->address, message_of(r)->port,
					   r->virtual_server.proto == IPPROTO_TCP ? "tcp" : "udp",
					   other->name);
	}
	plan->server_hash[i] = position + 1;
	return 0;
}

static int add_servers(struct plan *plan, struct problem *why)
{
	const struct resource *r = model_after(plan->model, RESOURCE_VIRTUAL_SERVER, "");
	int rc = 0;

	for (; r && !rc; r = model_next(r)) {
		struct plan_server *s = &plan->server[plan->n_servers];

		s->server = r;
		rc = find_pools(plan, s, why);
		if (!rc)
			rc = hash_server(plan, plan->n_servers++, why);
	}
	return rc;
}

/* ---- backends ---- */

static int check_backend(const struct plan *plan, const struct resource *b, struct problem *why)
{
	char path[RESOURCE_PATH_SIZE], text[ADDRESS_TEXT_SIZE];
	const struct sl_next_hop *hop = routes_find(&plan->routes, b->backend.addr);
	const char *wrong;

	if (own_find(&plan->own, b->backend.addr))
		wrong = "is the appliance's own";
	else if (!hop)
		wrong = "has no route";
	else if (hop->flags & SL_ROUTE_BLACKHOLE)
		wrong = "has a route that is a blackhole";
	else
		return 0;
	return problem_set(why, PROBLEM_FAILED_PRECONDITION, "%s.address: %s %s",
			   resource_path(RESOURCE_BACKEND, b->name, path),
			   address_text(b->backend.addr, text), wrong);
}

static int by_endpoint(const void *a, const void *b)
{
	const struct resource *x = *(const struct resource *const *)a;
	const struct resource *y = *(const struct resource *const *)b;

	if (x->backend.addr != y->backend.addr)
		return x->backend.addr < y->backend.addr ? -1 : 1;
	return (int)x->backend.port - (int)y->backend.port;
}

/* `scratch` has room for all backends. Each (address, port) once in its pool. */
static int check_twice(const struct resource **scratch, const struct plan *plan,
		       const struct plan_range *range, struct problem *why)
{
	char one[RESOURCE_PATH_SIZE], other[RESOURCE_PATH_SIZE], text[ADDRESS_TEXT_SIZE];

	if (!range->n)
		return 0;
	memcpy(scratch, &plan->backend[range->first], range->n * sizeof(*scratch));
	qsort(scratch, range->n, sizeof(*scratch), by_endpoint);
	for (uint32_t i = 1; i < range->n; i++) {
		const struct resource *b = scratch[i];

		if (!by_endpoint(&scratch[i - 1], &scratch[i]))
			return problem_set(
				why, PROBLEM_ALREADY_EXISTS, "%s: %s port %u is also %s",
				resource_path(RESOURCE_BACKEND, b->name, one),
				address_text(b->backend.addr, text), ntohs(b->backend.port),
				resource_path(RESOURCE_BACKEND, scratch[i - 1]->name, other));
	}
	return 0;
}

/* All pools' backends are checked against each other, those in use also for their route. */
static int add_backends(struct plan *plan, const struct resource **scratch, struct problem *why)
{
	const struct resource *b;

	for (uint32_t p = 0; p < plan->n_pools; p++) {
		struct plan_pool *pool = &plan->pool[p];
		bool used = pool->has_cycle[SL_SCHED_RR] || pool->has_cycle[SL_SCHED_WRR];

		pool->backends.first = plan->n_backends;
		b = model_backends(plan->model, pool->pool->name);
		for (; b; b = model_next_backend(b)) {
			if (used && check_backend(plan, b, why))
				return -EINVAL;
			plan->weight[plan->n_backends] = b->backend.weight;
			plan->backend[plan->n_backends++] = b;
			pool->backends.n++;
		}
		if (check_twice(scratch, plan, &pool->backends, why))
			return -EINVAL;
		if (!used) { /* it stays out of the snapshot */
			plan->n_backends = pool->backends.first;
			pool->backends.n = 0;
		}
	}
	return 0;
}

/* ---- cycles ---- */

static int plan_cycle(struct plan *plan, struct plan_pool *pool, enum sl_scheduler scheduler,
		      struct problem *why)
{
	const struct plan_range *range = &pool->backends;
	uint64_t length = cycle_length(scheduler, &plan->weight[range->first], range->n);

	if (scheduler == SL_SCHED_WRR && length > CYCLE_MAX)
		return problem_set(why, PROBLEM_INVALID_ARGUMENT,
				   "backend_pools[%s]: the weights, divided by their greatest "
				   "common divisor, add up to %llu, over %d",
				   pool->pool->name, (unsigned long long)length, CYCLE_MAX);
	pool->cycle[scheduler] = (struct plan_range){plan->n_picks, length};
	plan->n_picks += length;
	return 0;
}

static int add_cycles(struct plan *plan, struct problem *why)
{
	for (uint32_t p = 0; p < plan->n_pools; p++)
		for (int s = 0; s < SL_SCHED_MAX; s++)
			if (plan->pool[p].has_cycle[s] && plan_cycle(plan, &plan->pool[p], s, why))
				return -EINVAL;
	return 0;
}

static int check_gateways(const struct plan *plan, struct problem *why)
{
	const struct resource *r = model_after(plan->model, RESOURCE_ROUTE, "");
	char text[ADDRESS_TEXT_SIZE];

	for (; r; r = model_next(r))
		if (r->route.gateway && own_find(&plan->own, r->route.gateway))
			return problem_set(why, PROBLEM_FAILED_PRECONDITION,
					   "routes[%s].gateway: %s is the appliance's own", r->name,
					   address_text(r->route.gateway, text));
	return 0;
}

int plan_make(struct plan *plan, const struct model *model, struct problem *why)
{
	const struct resource **scratch =
		calloc(model->count[RESOURCE_BACKEND] + 1, sizeof(*scratch));
	int rc = 0;

	*plan = (struct plan){.model = model};
	if (!scratch)
		rc = problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	if (rc || (rc = allocate(plan, why)) || (rc = routes_build(&plan->routes, model, why)) ||
	    (rc = own_build(&plan->own, model, &plan->routes, why)) ||
	    (rc = check_gateways(plan, why)))
		goto out;
	list_pools(plan);
	if ((rc = add_servers(plan, why)) || (rc = add_backends(plan, scratch, why)))
		goto out;
	rc = add_cycles(plan, why);
out:
	free(scratch);
	return rc;
}

void plan_free(struct plan *plan)
{
	routes_free(&plan->routes);
	own_free(&plan->own);
	free(plan->server);
	free(plan->server_hash);
	free(plan->pool);
	free(plan->local);
	free(plan->backend);
	free(plan->weight);
}
