/* SPDX-License-Identifier: BSD-3-Clause */
/* What the backends' forwarding modes ask of the virtual servers that use them. */
#include "ctrl/plan.h"

#include <arpa/inet.h>
#include <errno.h>

/* A backend of the mode; there is one. */
static const char *example(const struct plan *plan, const struct plan_pool *pool, uint8_t mode,
			   char *path)
{
	uint32_t i = 0;

	while (pool->backend[i].mode != mode)
		i++;
	return resource_path(RESOURCE_BACKEND, plan_nth_backend(plan, pool, i)->name, path);
}

/* What the backend gets is the port that the client asked for. */
static bool reaches(const struct sl_backend *b, const struct resource_endpoint *e)
{
	return !(sl_mode_flags[b->mode] & SL_CONN_F_DIRECT) || !b->port ||
	       (resource_endpoint_is_exact(e) && b->port == htons(e->port));
}

static int check_ports(const struct plan *plan, const struct plan_server *s,
		       const struct resource_endpoint *e, struct problem *why)
{
	const struct plan_pool *pool = &plan->pool[s->pool];
	char path[RESOURCE_PATH_SIZE], text[PLAN_ENDPOINT_TEXT];

	for (uint32_t i = 0; i < pool->n; i++) {
		const struct sl_backend *b = &pool->backend[i];

		if (reaches(b, e))
			continue;
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "%s.port: %u cannot be reached in mode %s: it has to be 0 or "
				   "that of virtual_servers[%s], %s",
				   resource_path(RESOURCE_BACKEND,
						 plan_nth_backend(plan, pool, i)->name, path),
				   ntohs(b->port), sl_mode_names[b->mode], s->server->name,
				   plan_endpoint_text(e, text));
	}
	return 0;
}

static int check_all_ports(const struct plan *plan, const struct plan_server *s,
			   struct problem *why)
{
	int rc = 0;

	for (uint32_t i = 0; i < s->server->virtual_server.n_endpoints && !rc; i++)
		rc = check_ports(plan, s, &s->server->virtual_server.endpoint[i], why);
	return rc;
}

static bool has_direct(const struct plan_pool *pool)
{
	for (int mode = 0; mode < SL_MODE_MAX; mode++)
		if (pool->families[mode] && sl_mode_flags[mode] & SL_CONN_F_DIRECT)
			return true;
	return false;
}

int plan_check_modes(const struct plan *plan, struct problem *why)
{
	char path[RESOURCE_PATH_SIZE];

	for (uint32_t i = 0; i < plan->n_servers; i++) {
		const struct plan_server *s = &plan->server[i];
		const struct plan_pool *pool = &plan->pool[s->pool];

		if (s->local == PLAN_NO_LOCAL && pool->families[SL_MODE_FULLNAT])
			return problem_set(why, PROBLEM_FAILED_PRECONDITION,
					   "virtual_servers[%s].local_address_pool: is required: "
					   "%s is in mode fullnat",
					   s->server->name,
					   example(plan, pool, SL_MODE_FULLNAT, path));
		if (has_direct(pool) && check_all_ports(plan, s, why))
			return -EINVAL;
	}
	return 0;
}
