/* SPDX-License-Identifier: BSD-3-Clause */
/* What the backends' forwarding modes ask of the virtual servers that use them. */
#include "ctrl/plan.h"

#include <arpa/inet.h>
#include <errno.h>

#include <sluice/tunnel.h>

/* A backend of the mode that has an address of these families; there is one. */
static const char *example(const struct plan *plan, const struct plan_pool *pool, int mode,
			   uint8_t families, char *path)
{
	uint32_t i = 0;

	while (pool->backend[i].mode != mode || !(plan_family(&pool->backend[i].addr) & families))
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

static bool is_tunnel(int mode)
{
	return mode == SL_MODE_IPIP || mode == SL_MODE_GRE || mode == SL_MODE_GUE;
}

static const char *family_name(uint8_t family)
{
	return family == PLAN_IPV4 ? "IPv4" : "IPv6";
}

/*
 * PLAN_*: of the backends that an endpoint of this family may have in a mode. Tunnels lead over
 * either family, and FullNAT translates for clients over IPv6.
 */
static uint8_t families_for(uint8_t family, int mode)
{
	if (is_tunnel(mode) || (mode == SL_MODE_FULLNAT && family == PLAN_IPV6))
		return PLAN_BOTH;
	return family;
}

static int check_family(const struct plan *plan, const struct plan_server *s, uint8_t family,
			struct problem *why)
{
	const struct plan_pool *pool = &plan->pool[s->pool];
	char path[RESOURCE_PATH_SIZE];

	for (int mode = 0; mode < SL_MODE_MAX; mode++) {
		uint8_t other = pool->families[mode] & (uint8_t)~families_for(family, mode);

		if (other)
			return problem_set(
				why, PROBLEM_FAILED_PRECONDITION,
				"%s.address: is an %s one, and mode %s does not lead there "
				"from virtual_servers[%s], which has an %s one: tunnels do",
				example(plan, pool, mode, other, path), family_name(other),
				sl_mode_names[mode], s->server->name, family_name(family));
	}
	return 0;
}

/* Every link carries 1280 bytes of IPv6, a tunnel's inside, too (RFC 8200 section 5). */
static int check_tunnels(const struct plan *plan, const struct plan_server *s, uint8_t family,
			 struct problem *why)
{
	const struct plan_pool *pool = &plan->pool[s->pool];
	char path[RESOURCE_PATH_SIZE];

	if (family != PLAN_IPV6 || pool->tunnel_mtu >= SL_IPV6_MTU_MIN)
		return 0;
	return problem_set(
		why, PROBLEM_FAILED_PRECONDITION,
		"%s.address: is behind a link that leaves %u bytes in a tunnel of mode %s; "
		"virtual_servers[%s] is one over IPv6, which wants %d",
		resource_path(RESOURCE_BACKEND, plan_nth_backend(plan, pool, pool->narrowest)->name,
			      path),
		pool->tunnel_mtu, sl_mode_names[pool->backend[pool->narrowest].mode],
		s->server->name, SL_IPV6_MTU_MIN);
}

/* What the backend sees is of its own family. */
static int check_locals(const struct plan *plan, const struct plan_server *s, struct problem *why)
{
	uint8_t wanted = plan->pool[s->pool].families[SL_MODE_FULLNAT];
	const struct plan_local *local = &plan->local[s->local];
	bool no_ipv4 = wanted & PLAN_IPV4 && !plan_locals(local, false).n;
	bool no_ipv6 = wanted & PLAN_IPV6 && !plan_locals(local, true).n;

	if (!no_ipv4 && !no_ipv6)
		return 0;
	return problem_set(why, PROBLEM_FAILED_PRECONDITION,
			   "virtual_servers[%s].local_address_pool: %s has no %s address, as "
			   "backends of %s want",
			   s->server->name, local->pool->name, no_ipv4 ? "IPv4" : "IPv6",
			   plan->pool[s->pool].name);
}

static int check_server(const struct plan *plan, const struct plan_server *s, struct problem *why)
{
	const struct plan_pool *pool = &plan->pool[s->pool];
	char path[RESOURCE_PATH_SIZE];

	if (s->local == PLAN_NO_LOCAL && pool->families[SL_MODE_FULLNAT])
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "virtual_servers[%s].local_address_pool: is required: "
				   "%s is in mode fullnat",
				   s->server->name,
				   example(plan, pool, SL_MODE_FULLNAT, PLAN_BOTH, path));
	if (s->local != PLAN_NO_LOCAL && check_locals(plan, s, why))
		return -EINVAL;
	return has_direct(pool) ? check_all_ports(plan, s, why) : 0;
}

int plan_check_modes(const struct plan *plan, struct problem *why)
{
	for (uint32_t i = 0; i < plan->n_endpoints; i++) {
		const struct plan_endpoint *e = &plan->endpoint[i];

		uint8_t family = plan_family(&e->at->addr);

		if (check_family(plan, e->of, family, why) ||
		    check_tunnels(plan, e->of, family, why))
			return -EINVAL;
	}
	for (uint32_t i = 0; i < plan->n_servers; i++)
		if (check_server(plan, &plan->server[i], why))
			return -EINVAL;
	return 0;
}
