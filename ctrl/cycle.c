/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/cycle.h"

#include <errno.h>
#include <stdlib.h>

/* Occurrence k of a backend that comes `times` in a cycle. */
struct pick {
	uint32_t k;
	uint32_t times;
	uint32_t position;
};

static uint32_t divisor(const uint16_t *weight, uint32_t n)
{
	uint32_t g = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t b = weight[i]; b;) {
			uint32_t rest = g % b;

			g = b;
			b = rest;
		}
	return g;
}

/* How often a backend comes in a cycle; `g` is the weights' divisor. */
static uint32_t times(enum sl_scheduler scheduler, uint16_t weight, uint32_t g)
{
	if (!weight)
		return 0;
	return scheduler == SL_SCHED_WRR ? weight / g : 1;
}

uint64_t cycle_length(enum sl_scheduler scheduler, const uint16_t *weight, uint32_t n)
{
	uint32_t g = divisor(weight, n);
	uint64_t length = 0;

	for (uint32_t i = 0; i < n; i++)
		length += times(scheduler, weight[i], g);
	return length;
}

/* (2k + 1) / 2w of one against the other's, by cross multiplication: no rounding. */
static int by_place(const void *a, const void *b)
{
	const struct pick *p = a, *q = b;
	uint64_t x = (2 * (uint64_t)p->k + 1) * q->times;
	uint64_t y = (2 * (uint64_t)q->k + 1) * p->times;

	if (x != y)
		return x < y ? -1 : 1;
	return p->position < q->position ? -1 : p->position > q->position;
}

int cycle_make(enum sl_scheduler scheduler, const uint16_t *weight, uint32_t n, uint32_t first,
	       uint32_t *out)
{
	uint64_t length = cycle_length(scheduler, weight, n), at = 0;
	struct pick *pick = calloc(length + 1, sizeof(*pick));
	uint32_t g = divisor(weight, n);

	if (!pick)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t t = times(scheduler, weight[i], g);

		for (uint32_t k = 0; k < t; k++)
			pick[at++] = (struct pick){k, t, first + i};
	}
	qsort(pick, length, sizeof(*pick), by_place);
	for (uint64_t i = 0; i < length; i++)
		out[i] = pick[i].position;
	free(pick);
	return 0;
}
