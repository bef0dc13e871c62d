/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's idea of now, read once a turn. Ticks come from CLOCK_MONOTONIC, so
 * that a replacement goes on with its predecessor's; the TSC tells when it is worth
 * asking (every 1 ms; the call stays in user space).
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <rte_cycles.h>

#include <sluice/conn.h>

struct clock {
	uint64_t ns;      /* CLOCK_MONOTONIC, to 1 ms */
	uint64_t tsc;     /* now */
	uint64_t tsc_due; /* ask again then */
	uint64_t tsc_ms;  /* TSC cycles in 1 ms */
	uint32_t tick;    /* of 1/SL_TICK_HZ s, never 0 */
};

static inline void clock_ask(struct clock *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	c->ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	c->tick = (uint32_t)(c->ns / (1000000000 / SL_TICK_HZ)) + 1;
	c->tsc_due = c->tsc + c->tsc_ms;
}

/* Returns true when `ns` and `tick` were refreshed. */
static inline bool clock_turn(struct clock *c)
{
	c->tsc = rte_rdtsc();
	if (c->tsc < c->tsc_due)
		return false;
	clock_ask(c);
	return true;
}

static inline void clock_init(struct clock *c)
{
	c->tsc_ms = rte_get_tsc_hz() / 1000;
	c->tsc = rte_rdtsc();
	clock_ask(c);
}

#endif
