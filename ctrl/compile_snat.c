/* SPDX-License-Identifier: BSD-3-Clause */
/* SNAT policies as the snapshot has them: see <sluice/snat.h>. */
#include <sluice/snat.h>

#include "ctrl/address.h"
#include "ctrl/compile.h"
#include "ctrl/plan.h"

/* Prefixes from *n on, which moves behind them. */
static struct sl_span write_prefixes(struct sl_snapshot *s, const struct resource_prefix *prefix,
				     size_t count, uint32_t *n)
{
	struct sl_prefix *out = (struct sl_prefix *)sl_snapshot_at(s, s->snat_prefixes) + *n;
	struct sl_span span = {s->snat_prefixes.offset + *n * (uint32_t)sizeof(*out),
			       (uint32_t)count};

	for (size_t i = 0; i < count; i++) {
		out[i].addr = prefix[i].addr;
		out[i].mask = address_mask(prefix[i].length);
	}
	*n += (uint32_t)count;
	return span;
}

void compile_snat(struct sl_snapshot *s, const struct plan *plan)
{
	struct sl_snat_policy *out = (struct sl_snat_policy *)sl_snapshot_at(s, s->snat_policies);
	uint32_t n = 0;

	for (uint32_t i = 0; i < plan->n_snat; i++) {
		const struct plan_snat *p = &plan->snat[i];
		const struct resource *r = p->policy;

		out[i].sources = write_prefixes(s, r->snat.source, r->snat.n_source, &n);
		out[i].destinations =
			write_prefixes(s, r->snat.destination, r->snat.n_destination, &n);
		out[i].port_mask = p->port_mask;
		out[i].proto = r->snat.proto;
		out[i].server.ref = r->ref;
		out[i].server.max_connections = r->snat.max_connections;
		out[i].server.local = (struct sl_span){
			s->local_lists.offset + p->addresses.first * (uint32_t)sizeof(uint32_t),
			p->addresses.n};
		out[i].server.n_local_v4 = p->n_ipv4;
		out[i].outside = (struct sl_backend){
			.ref = r->snat.outside, .weight = 1, .mode = SL_MODE_SNAT};
	}
}
