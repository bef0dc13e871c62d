/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long the steps of changes of the configuration took (apply.h tells of them), in all, for
 * /metrics. A step lasts from the end of the one before to its own, by the clock on the wall, so
 * waiting for the thread or the disk is in it.
 */
#ifndef CTRL_STEPS_H
#define CTRL_STEPS_H

#include <stdint.h>

/* X(symbol, name) */
#define STEPS(X)              \
	X(RESOLVE, "resolve") \
	X(PREPARE, "prepare") \
	X(ENTER, "enter")     \
	X(COMPILE, "compile") \
	X(COMMIT, "commit")   \
	X(PUBLISH, "publish")

enum step {
#define X(symbol, name) STEP_##symbol,
	STEPS(X)
#undef X
		STEP_MAX
};

extern const char *const step_names[STEP_MAX];

/* The first one begins; one has ended, and the next begins. Of the one change under way. */
void steps_begin(void);
void steps_end(enum step step);

/* Of all changes so far. */
double steps_seconds(enum step step);

#endif
