/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/cycle.h"

#include <errno.h>
#include <stdlib.h>

/* Occurrence k of a backend that comes `share` times in a cycle. */
struct pick {
	uint32_t k;
	uint32_t share;
	uint32_t position;
};

static uint32_t divisor(const uint16_t *weight, uint32_t n)
{
	uint32_t g = 0;

	for (uint32_t i = 0; i < n && g != 1; i++)
		for (uint32_t b = weight[i]; b;) {
			uint32_t rest = g % b;

			g = b;
			b = rest;
		}
	return g;
}

void cycle_shares(enum sl_scheduler scheduler, const uint16_t *weight, uint32_t n, uint16_t *share)
{
	uint32_t g = divisor(weight, n);

	for (uint32_t i = 0; i < n; i++)
		share[i] = !weight[i]                 ? 0
			   : scheduler == SL_SCHED_RR ? 1
						      : (uint16_t)(weight[i] / g);
}

uint64_t cycle_length(const uint16_t *share, uint32_t n)
{
	uint64_t length = 0;

	for (uint32_t i = 0; i < n; i++)
		length += share[i];
	return length;
}

/* (2k + 1) / 2w of one against the other's, by cross multiplication: no rounding. */
static int by_place(const void *a, const void *b)
{
	const struct pick *p = a, *q = b;
	uint64_t x = (2 * (uint64_t)p->k + 1) * q->share;
	uint64_t y = (2 * (uint64_t)q->k + 1) * p->share;

	if (x != y)
		return x < y ? -1 : 1;
	return p->position < q->position ? -1 : p->position > q->position;
}

int cycle_make(const uint16_t *share, uint32_t n, uint32_t *out)
{
	uint64_t length = cycle_length(share, n), at = 0;
	struct pick *pick = calloc(length + 1, sizeof(*pick));

	if (!pick)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < share[i]; k++)
			pick[at++] = (struct pick){k, share[i], i};
	qsort(pick, length, sizeof(*pick), by_place);
	for (uint64_t i = 0; i < length; i++)
		out[i] = pick[i].position;
	free(pick);
	return 0;
}
