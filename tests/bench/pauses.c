/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/pauses.h"

#include <time.h>

#include "secondary/worker.h"

#define SOON_NS 10000000 /* what a switch leaves to be done again is done by then */

static struct {
	uint64_t begun; /* ns of the thread's CPU time, as all here */
	uint64_t switched;
	uint64_t generation;
	unsigned int switches;
	uint64_t near_switch, other; /* longest */
} p;

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void pauses_turn_begins(void)
{
	p.begun = cpu_ns();
}

void pauses_turn_ends(const struct worker *w)
{
	uint64_t now = cpu_ns(), *longest = &p.other;

	if (w->slot->worker.snapshot_in_use != p.generation) {
		p.generation = w->slot->worker.snapshot_in_use;
		p.switched = now;
		p.switches++;
	}
	if (p.switches && now - p.switched < SOON_NS)
		longest = &p.near_switch;
	if (now - p.begun > *longest)
		*longest = now - p.begun;
}

void pauses_reset(const struct worker *w)
{
	p.generation = w->slot->worker.snapshot_in_use;
	p.near_switch = p.other = 0;
	p.switches = 0;
	pauses_turn_begins();
}

void pauses_result(struct pauses_result *r)
{
	*r = (struct pauses_result){
		.switch_us = (double)p.near_switch / 1000,
		.other_us = (double)p.other / 1000,
		.switches = p.switches,
	};
}
