/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time by stage (sluice/profile.h). A mark closes a stage: the time since the mark before it
 * goes to its account. While nobody asks a mark is a branch not taken, once a stage and burst.
 */
#ifndef PROFILE_H
#define PROFILE_H

#include "secondary/worker.h"

/* Once a millisecond: does somebody ask? */
static inline void profile_ask(struct worker *w)
{
	bool wanted = w->clock.ns < __atomic_load_n(&w->slot->profile_until_ns, __ATOMIC_RELAXED);

	if (wanted && !w->profiling)
		w->profile_since = w->clock.tsc;
	w->profiling = wanted;
}

static inline void profile_mark(struct worker *w, enum sl_stage stage, unsigned int packets)
{
	uint64_t now;

	if (likely(!w->profiling))
		return;
	now = rte_rdtsc();
	w->slot->profile.stage[stage].cycles += now - w->profile_since;
	w->slot->profile.stage[stage].packets += packets;
	w->profile_since = now;
}

#endif
