/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/steps.h"

#include <time.h>

const char *const step_names[STEP_MAX] = {
#define X(symbol, name) [STEP_##symbol] = name,
	STEPS(X)
#undef X
};

static double seconds[STEP_MAX];
static double began;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void steps_begin(void)
{
	began = now();
}

void steps_end(enum step step)
{
	double ended = now();

	seconds[step] += ended - began;
	began = ended;
}

double steps_seconds(enum step step)
{
	return seconds[step];
}
