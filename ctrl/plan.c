/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/shm.h>

#include "ctrl/address.h"
#include "sluice/v1/virtual_server.pb-c.h"

static int no_memory(struct problem *why)
{
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
}

static const Sluice__V1__VirtualServer *message_of(const struct resource *server)
{
	return (const Sluice__V1__VirtualServer *)server->message;
}

#define KIND(symbol) (1u << RESOURCE_##symbol)

/* Is what was made of these kinds as it was? */
static bool fresh(const struct plan *plan, uint64_t made, unsigned int kinds)
{
	if (!made)
		return false;
	for (int k = 0; k < RESOURCE_KIND_MAX; k++)
		if (kinds & 1u << k && plan->model->touched[k] > made)
			return false;
	return true;
}

/* ---- the ground: routes and own addresses ---- */

static int update_routes(struct plan *plan, struct problem *why)
{
	if (fresh(plan, plan->routes_made, KIND(INTERFACE) | KIND(ROUTE)))
		return 0;
	plan->routes_made = 0;
	plan->ground++;
	routes_free(&plan->routes);
	if (routes_build(&plan->routes, plan->model, why))
		return -EINVAL;
	plan->routes_made = plan->model->touches;
	return 0;
}

static int update_own(struct plan *plan, struct problem *why)
{
	if (fresh(plan, plan->own_made,
		  KIND(INTERFACE) | KIND(VIRTUAL_SERVER) | KIND(LOCAL_ADDRESS_POOL)))
		return 0;
	plan->own_made = 0;
	plan->ground++;
	own_free(&plan->own);
	if (own_build(&plan->own, plan->model, &plan->routes, why))
		return -EINVAL;
	plan->own_made = plan->model->touches;
	return 0;
}

static int check_gateways(struct plan *plan, struct problem *why)
{
	const struct resource *r = model_after(plan->model, RESOURCE_ROUTE, "");
	char text[ADDRESS_TEXT_SIZE];

	if (plan->gateways_checked == plan->ground)
		return 0;
	for (; r; r = model_next(r))
		if (!sl_addr_is_none(&r->route.gateway) && own_find(&plan->own, &r->route.gateway))
			return problem_set(why, PROBLEM_FAILED_PRECONDITION,
					   "routes[%s].gateway: %s is the appliance's own", r->name,
					   address_text(&r->route.gateway, text));
	plan->gateways_checked = plan->ground;
	return 0;
}

/* ---- lists of pools ---- */

static int list_locals(struct plan *plan, struct problem *why)
{
	const struct resource *r = model_after(plan->model, RESOURCE_LOCAL_ADDRESS_POOL, "");

	free(plan->local);
	plan->n_locals = plan->n_local_addresses = 0;
	plan->local =
		calloc(plan->model->count[RESOURCE_LOCAL_ADDRESS_POOL] + 1, sizeof(*plan->local));
	if (!plan->local)
		return no_memory(why);
	for (; r; r = model_next(r)) {
		struct plan_local *local = &plan->local[plan->n_locals++];

		local->pool = r;
		local->addresses.first = plan->n_local_addresses;
		local->addresses.n = r->local.n;
		for (size_t i = 0; i < r->local.n; i++)
			local->n_ipv4 += sl_addr_is_v4(&r->local.addr[i]);
		plan->n_local_addresses += r->local.n;
	}
	return 0;
}

static int by_name(const void *name, const void *local)
{
	return strcmp(name, ((const struct plan_local *)local)->pool->name);
}

const struct plan_local *plan_find_local(const struct plan *plan, const char *name)
{
	return bsearch(name, plan->local, plan->n_locals, sizeof(*plan->local), by_name);
}

static int update_pools(struct plan *plan, struct problem *why)
{
	size_t room = SL_SCHED_MAX * plan->model->count[RESOURCE_BACKEND_POOL] + 1;

	if (fresh(plan, plan->pools_made, KIND(BACKEND_POOL)))
		return 0;
	plan->pools_made = 0;
	free(plan->cycle);
	plan->cycle = calloc(room, sizeof(struct cycle *));
	if (!plan->cycle)
		return no_memory(why);
	if (plan_list_pools(plan, why))
		return -EINVAL;
	plan->pools_made = plan->model->touches;
	return 0;
}

/* ---- virtual servers ---- */

static int find_pools(struct plan *plan, struct plan_server *s, struct problem *why)
{
	const Sluice__V1__VirtualServer *m = message_of(s->server);
	struct plan_pool *pool = plan_find_pool(plan, m->backend_pool);
	const struct plan_local *local =
		*m->local_address_pool ? plan_find_local(plan, m->local_address_pool) : NULL;

	if (!pool)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "virtual_servers[%s].backend_pool: there is no backend pool %s",
				   s->server->name, m->backend_pool);
	if (!local && *m->local_address_pool)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "virtual_servers[%s].local_address_pool: there is no local "
				   "address pool %s",
				   s->server->name, m->local_address_pool);
	s->pool = pool - plan->pool;
	s->local = local ? (uint32_t)(local - plan->local) : PLAN_NO_LOCAL;
	pool->used[s->server->virtual_server.scheduler] = true;
	return 0;
}

static int list_servers(struct plan *plan, struct problem *why)
{
	const struct resource *r = model_after(plan->model, RESOURCE_VIRTUAL_SERVER, "");
	size_t count = plan->model->count[RESOURCE_VIRTUAL_SERVER];
	int rc = 0;

	free(plan->server);
	plan->n_servers = 0;
	plan->quiescent = plan->persistent = false;
	plan->server = calloc(count + 1, sizeof(*plan->server));
	if (!plan->server)
		return no_memory(why);
	for (uint32_t p = 0; p < plan->n_pools; p++)
		memset(plan->pool[p].used, 0, sizeof(plan->pool[p].used));
	for (; r && !rc; r = model_next(r)) {
		struct plan_server *s = &plan->server[plan->n_servers++];

		s->server = r;
		plan->quiescent |= r->virtual_server.expire_quiescent;
		plan->persistent |= r->virtual_server.persistence != 0;
		rc = find_pools(plan, s, why);
	}
	return rc ? rc : plan_list_endpoints(plan, why);
}

static int update_servers(struct plan *plan, struct problem *why)
{
	if (fresh(plan, plan->servers_made,
		  KIND(VIRTUAL_SERVER) | KIND(BACKEND_POOL) | KIND(LOCAL_ADDRESS_POOL)))
		return 0;
	plan->servers_made = 0;
	if (list_locals(plan, why) || list_servers(plan, why))
		return -EINVAL;
	plan->servers_made = plan->model->touches;
	return 0;
}

static int update_snat(struct plan *plan, struct problem *why)
{
	if (fresh(plan, plan->snat_made, KIND(SNAT_POLICY) | KIND(LOCAL_ADDRESS_POOL)))
		return 0;
	plan->snat_made = 0;
	if (plan_list_snat(plan, why))
		return -EINVAL;
	plan->snat_made = plan->model->touches;
	return 0;
}

/* ---- the whole ---- */

int plan_update(struct plan *plan, struct problem *why)
{
	if (update_routes(plan, why) || update_own(plan, why) || check_gateways(plan, why) ||
	    update_pools(plan, why) || update_servers(plan, why) || update_snat(plan, why) ||
	    plan_fill_pools(plan, why) || plan_check_modes(plan, why))
		return -EINVAL;
	return 0;
}

void plan_keep(struct plan *plan)
{
	uint64_t now = plan->model->touches;

	plan->routes_made = plan->own_made = plan->pools_made = plan->servers_made = now;
	plan->snat_made = now;
	for (uint32_t p = 0; p < plan->n_pools; p++)
		plan->pool[p].made = now;
}

struct plan *plan_new(const struct model *model)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return NULL;
	plan->model = model;
	plan->cycles = cycles_new();
	if (plan->cycles)
		return plan;
	free(plan);
	errno = ENOMEM;
	return NULL;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	routes_free(&plan->routes);
	own_free(&plan->own);
	plan_free_pools(plan);
	cycles_free(plan->cycles);
	free(plan->local);
	plan_free_endpoints(plan);
	free(plan->server);
	free(plan->snat);
	free(plan->cycle);
	free(plan);
}
