/* SPDX-License-Identifier: BSD-3-Clause */
/* SNAT policies of a plan: in the order in which workers ask them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/shm.h>
#include <sluice/snat.h>

#include "ctrl/plan.h"
#include "sluice/v1/snat_policy.pb-c.h"

static int by_order(const void *a, const void *b)
{
	const struct resource *x = ((const struct plan_snat *)a)->policy;
	const struct resource *y = ((const struct plan_snat *)b)->policy;

	if (x->snat.priority != y->snat.priority)
		return x->snat.priority < y->snat.priority ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int find_port(const struct plan *plan, struct plan_snat *p, const char *name,
		     struct problem *why)
{
	const struct sl_root *root = plan->model->root;

	p->port_mask = *name ? 0 : UINT32_MAX;
	for (unsigned int i = 0; i < root->n_ports; i++)
		if (!strcmp(root->port[i].name, name))
			p->port_mask = UINT32_C(1) << i;
	if (p->port_mask)
		return 0;
	return problem_set(why, PROBLEM_FAILED_PRECONDITION,
			   "snat_policies[%s].in_interface: there is no interface %s",
			   p->policy->name, name);
}

static int find_local(const struct plan *plan, struct plan_snat *p, const char *name,
		      struct problem *why)
{
	const struct plan_local *local = plan_find_local(plan, name);

	if (!local)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "snat_policies[%s].local_address_pool: there is no local "
				   "address pool %s",
				   p->policy->name, name);
	p->addresses = plan_locals(local, true);
	p->n_ipv4 = (uint16_t)local->n_ipv4;
	for (int ipv6 = 0; ipv6 < 2; ipv6++)
		if (resource_snat_has(p->policy, ipv6) && !plan_locals(local, ipv6).n)
			return problem_set(why, PROBLEM_FAILED_PRECONDITION,
					   "snat_policies[%s].local_address_pool: %s has no %s "
					   "address, as sources want",
					   p->policy->name, name, ipv6 ? "IPv6" : "IPv4");
	return 0;
}

static int check_count(const struct plan *plan, struct problem *why)
{
	if (plan->n_snat > SL_SNAT_POLICIES)
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED,
				   "snat_policies: %u are more than %d", plan->n_snat,
				   SL_SNAT_POLICIES);
	if (plan->n_snat_prefixes > SL_SNAT_PREFIXES)
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED,
				   "snat_policies: their %u prefixes are more than %d",
				   plan->n_snat_prefixes, SL_SNAT_PREFIXES);
	return 0;
}

int plan_list_snat(struct plan *plan, struct problem *why)
{
	const struct resource *r = model_after(plan->model, RESOURCE_SNAT_POLICY, "");

	free(plan->snat);
	plan->n_snat = plan->n_snat_prefixes = 0;
	plan->snat = calloc(plan->model->count[RESOURCE_SNAT_POLICY] + 1, sizeof(*plan->snat));
	if (!plan->snat)
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	for (; r; r = model_next(r)) {
		const Sluice__V1__SnatPolicy *m = (const void *)r->message;
		struct plan_snat *p = &plan->snat[plan->n_snat++];

		p->policy = r;
		plan->n_snat_prefixes += r->snat.n_source + r->snat.n_destination;
		if (find_local(plan, p, m->local_address_pool, why) ||
		    find_port(plan, p, m->in_interface, why))
			return -EINVAL;
	}
	qsort(plan->snat, plan->n_snat, sizeof(*plan->snat), by_order);
	return check_count(plan, why);
}
