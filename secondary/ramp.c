/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/ramp.h"

static void note(struct worker *w, const struct sl_backend *b)
{
	struct sl_ramp *r = &w->slot->ramp[SL_REF_ID(b->ref)];

	if (!b->weight)
		r->ref = SL_REF_NONE;
	else if (r->ref != b->ref)
		*r = (struct sl_ramp){.ref = b->ref, .since = w->clock.tick};
}

/* Slow start is new to this pool: its backends have been there as long as it takes. */
static bool unknown(const struct worker *w, const struct sl_backend *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (w->slot->ramp[SL_REF_ID(b[i].ref)].ref == b[i].ref)
			return false;
	return true;
}

static void note_pool(struct worker *w, const struct sl_virtual_server *vs)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	uint32_t n = vs->backends.count;
	bool first = unknown(w, b, n);

	for (uint32_t i = 0; i < n; i++) {
		note(w, &b[i]);
		if (first)
			w->slot->ramp[SL_REF_ID(b[i].ref)].since -= vs->slow_start;
	}
}

void ramp_switch(struct worker *w)
{
	const struct sl_snapshot *s = w->snapshot;
	const struct sl_virtual_server *v = sl_snapshot_at(s, s->virtual_servers);

	for (uint32_t i = 0; i < s->virtual_servers.count; i++)
		if (v[i].slow_start)
			note_pool(w, &v[i]);
}
