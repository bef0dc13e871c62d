/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/ramp.h"

/* Backends and virtual servers looked at in a turn: each may be a cache miss, so 6 us at most. */
#define SLICE 64

static void note(struct worker *w, const struct sl_backend *b)
{
	struct sl_ramp *r = &w->slot->ramp[SL_REF_ID(b->ref)];

	if (!b->weight)
		r->ref = SL_REF_NONE;
	else if (r->ref != b->ref)
		*r = (struct sl_ramp){.ref = b->ref, .since = w->clock.tick};
}

static bool known(const struct worker *w, const struct sl_backend *b)
{
	return w->slot->ramp[SL_REF_ID(b->ref)].ref == b->ref;
}

static void next_server(struct worker *w)
{
	w->ramp_walk.server++;
	w->ramp_walk.backend = 0;
	w->ramp_walk.noting = false;
}

static void begin_noting(struct worker *w, bool first)
{
	w->ramp_walk.noting = true;
	w->ramp_walk.first = first;
	w->ramp_walk.backend = 0;
}

/*
 * One backend. When none of a pool is known, slow start is new to it: its backends have been there
 * as long as it takes.
 */
static void step(struct worker *w, const struct sl_virtual_server *vs)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, vs->backends);
	uint32_t i = w->ramp_walk.backend;

	if (!vs->slow_start || (w->ramp_walk.noting && i == vs->backends.count)) {
		next_server(w);
	} else if (!w->ramp_walk.noting) {
		if (i == vs->backends.count || known(w, &b[i]))
			begin_noting(w, i == vs->backends.count);
		else
			w->ramp_walk.backend++;
	} else {
		note(w, &b[i]);
		if (w->ramp_walk.first)
			w->slot->ramp[SL_REF_ID(b[i].ref)].since -= vs->slow_start;
		w->ramp_walk.backend++;
	}
}

void ramp_slice(struct worker *w)
{
	const struct sl_snapshot *s = w->snapshot;
	const struct sl_virtual_server *v = sl_snapshot_at(s, s->virtual_servers);

	for (int i = 0; i < SLICE && w->ramp_walk.server < s->virtual_servers.count; i++)
		step(w, &v[w->ramp_walk.server]);
	w->ramp_walk.pending = w->ramp_walk.server < s->virtual_servers.count;
}

void ramp_switch(struct worker *w)
{
	w->ramp_walk.server = 0;
	w->ramp_walk.backend = 0;
	w->ramp_walk.noting = false;
	w->ramp_walk.pending = w->snapshot != NULL;
}
