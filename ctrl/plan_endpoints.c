/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where virtual servers are reached. Endpoints with one port are in a hash. The others become
 * disjoint, ascending ranges of each address and protocol: those of all ports fill the gaps
 * between the rest (<sluice/virtual_server.h>).
 */
#include "ctrl/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include <sluice/virtual_server.h>

#include "ctrl/address.h"

static int no_memory(struct problem *why)
{
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
}

const char *plan_endpoint_text(const struct resource_endpoint *e, char *out)
{
	const char *proto = e->proto == IPPROTO_TCP ? "tcp" : "udp";
	char addr[ADDRESS_TEXT_SIZE];

	address_text(&e->addr, addr);
	if (resource_endpoint_is_exact(e))
		snprintf(out, PLAN_ENDPOINT_TEXT, "%s port %u %s", addr, e->port, proto);
	else if (e->every_port)
		snprintf(out, PLAN_ENDPOINT_TEXT, "%s every port %s", addr, proto);
	else
		snprintf(out, PLAN_ENDPOINT_TEXT, "%s ports %u-%u %s", addr, e->port, e->port_end,
			 proto);
	return out;
}

static int report_twice(const struct plan_endpoint *e, const struct plan_endpoint *other,
			struct problem *why)
{
	char text[PLAN_ENDPOINT_TEXT], before[PLAN_ENDPOINT_TEXT];

	plan_endpoint_text(e->at, text);
	plan_endpoint_text(other->at, before);
	if (strcmp(text, before))
		return problem_set(
			why, PROBLEM_ALREADY_EXISTS,
			"virtual_servers[%s]: %s overlaps with %s of virtual_servers[%s]",
			e->of->server->name, text, before, other->of->server->name);
	return problem_set(why, PROBLEM_ALREADY_EXISTS,
			   "virtual_servers[%s]: %s is also served by virtual_servers[%s]",
			   e->of->server->name, text, other->of->server->name);
}

/* ---- one port ---- */

static bool same_key(const struct resource_endpoint *a, const struct resource_endpoint *b)
{
	return sl_addr_equal(&a->addr, &b->addr) && a->proto == b->proto;
}

static int hash_exact(struct plan *plan, uint32_t position, struct problem *why)
{
	const struct plan_endpoint *e = &plan->endpoint[position];
	uint32_t mask = plan->server_places - 1;
	uint32_t i = sl_virtual_hash(sl_addr_fold(&e->at->addr), htons(e->at->port), e->at->proto) &
		     mask;

	for (; plan->server_hash[i]; i = (i + 1) & mask) {
		const struct plan_endpoint *other = &plan->endpoint[plan->server_hash[i] - 1];

		if (same_key(e->at, other->at) && e->at->port == other->at->port)
			return report_twice(e, other, why);
	}
	plan->server_hash[i] = position + 1;
	return 0;
}

/* ---- ranges ---- */

/* By address and protocol; all ports after ranges; in the order of the ports. */
static int by_port(const void *a, const void *b)
{
	const struct plan_endpoint *const *x = a, *const *y = b;
	const struct resource_endpoint *p = (*x)->at, *q = (*y)->at;
	int rc = memcmp(&p->addr, &q->addr, sizeof(p->addr));

	if (!rc)
		rc = p->proto - q->proto;
	if (!rc)
		rc = p->every_port - q->every_port;
	if (!rc)
		rc = p->port - q->port;
	return rc ? rc : (*x > *y) - (*x < *y);
}

static int check_overlap(const struct plan_endpoint *const *list, uint32_t n, struct problem *why)
{
	for (uint32_t i = 1; i < n; i++) {
		const struct resource_endpoint *e = list[i]->at, *before = list[i - 1]->at;

		if (same_key(e, before) && e->every_port == before->every_port &&
		    e->port <= before->port_end)
			return report_twice(list[i], list[i - 1], why);
	}
	return 0;
}

static void add_range(struct plan *plan, uint32_t first, uint32_t last,
		      const struct plan_endpoint *e)
{
	if (first <= last)
		plan->range[plan->n_ranges++] =
			(struct sl_port_range){.first = (uint16_t)first,
					       .last = (uint16_t)last,
					       .server = (uint32_t)(e - plan->endpoint)};
}

/* Of one address and protocol: n endpoints, of which the last may have all ports. */
static void lay_out_ranges(struct plan *plan, const struct plan_endpoint *const *list, uint32_t n)
{
	const struct plan_endpoint *rest = list[n - 1]->at->every_port ? list[n - 1] : NULL;
	uint32_t next = 1; /* port 0 is nobody's (RFC 6335 section 6) */

	for (uint32_t i = 0; i < n - (rest != NULL); i++) {
		if (rest)
			add_range(plan, next, list[i]->at->port - 1u, rest);
		add_range(plan, list[i]->at->port, list[i]->at->port_end, list[i]);
		next = list[i]->at->port_end + 1u;
	}
	if (rest)
		add_range(plan, next, UINT16_MAX, rest);
}

static void hash_ranges(struct plan *plan, const struct resource_endpoint *e, uint32_t first)
{
	uint32_t mask = plan->ranges_places - 1;
	uint32_t i = sl_virtual_hash(sl_addr_fold(&e->addr), 0, e->proto) & mask;

	while (plan->ranges_hash[i].count)
		i = (i + 1) & mask;
	plan->ranges_hash[i] = (struct sl_port_ranges){.addr = e->addr,
						       .first = first,
						       .count = plan->n_ranges - first,
						       .proto = e->proto};
}

static int list_ranges(struct plan *plan, const struct plan_endpoint **list, uint32_t n,
		       struct problem *why)
{
	qsort(list, n, sizeof(const struct plan_endpoint *), by_port);
	if (check_overlap(list, n, why))
		return -EINVAL;
	for (uint32_t i = 0, end; i < n; i = end) {
		uint32_t first = plan->n_ranges;

		for (end = i + 1; end < n && same_key(list[i]->at, list[end]->at);)
			end++;
		lay_out_ranges(plan, &list[i], end - i);
		hash_ranges(plan, list[i]->at, first);
	}
	return 0;
}

/* ---- all of them ---- */

static uint32_t list_all(struct plan *plan)
{
	uint32_t n_exact = 0;

	plan->n_endpoints = 0;
	for (uint32_t i = 0; i < plan->n_servers; i++) {
		const struct resource *r = plan->server[i].server;

		for (uint32_t k = 0; k < r->virtual_server.n_endpoints; k++) {
			const struct resource_endpoint *e = &r->virtual_server.endpoint[k];

			plan->endpoint[plan->n_endpoints++] =
				(struct plan_endpoint){&plan->server[i], e};
			n_exact += resource_endpoint_is_exact(e);
		}
	}
	return n_exact;
}

/* Between n endpoints, and around them, there are n + 1 gaps at most. */
static int take_room(struct plan *plan, uint32_t n_exact)
{
	uint32_t others = plan->n_endpoints - n_exact;

	plan->n_ranges = 0;
	plan->server_places = rte_align32pow2(2 * n_exact + 1);
	plan->ranges_places = rte_align32pow2(2 * others + 1);
	plan->server_hash = calloc(plan->server_places, sizeof(*plan->server_hash));
	plan->ranges_hash = calloc(plan->ranges_places, sizeof(*plan->ranges_hash));
	plan->range = calloc(2 * others + 1, sizeof(*plan->range));
	return plan->server_hash && plan->ranges_hash && plan->range ? 0 : -ENOMEM;
}

static int lead_to(struct plan *plan, struct problem *why)
{
	const struct plan_endpoint **list =
		calloc(plan->n_endpoints + 1, sizeof(const struct plan_endpoint *));
	uint32_t n = 0;
	int rc = 0;

	if (!list)
		return no_memory(why);
	for (uint32_t i = 0; i < plan->n_endpoints && !rc; i++)
		if (resource_endpoint_is_exact(plan->endpoint[i].at))
			rc = hash_exact(plan, i, why);
		else
			list[n++] = &plan->endpoint[i];
	if (!rc)
		rc = list_ranges(plan, list, n, why);
	free(list);
	return rc;
}

int plan_list_endpoints(struct plan *plan, struct problem *why)
{
	size_t count = 0;

	plan_free_endpoints(plan);
	for (uint32_t i = 0; i < plan->n_servers; i++)
		count += plan->server[i].server->virtual_server.n_endpoints;
	plan->endpoint = calloc(count + 1, sizeof(*plan->endpoint));
	if (!plan->endpoint || take_room(plan, list_all(plan)))
		return no_memory(why);
	return lead_to(plan, why);
}

void plan_free_endpoints(struct plan *plan)
{
	free(plan->endpoint);
	free(plan->server_hash);
	free(plan->ranges_hash);
	free(plan->range);
	plan->endpoint = NULL;
	plan->server_hash = NULL;
	plan->ranges_hash = NULL;
	plan->range = NULL;
}
