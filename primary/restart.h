/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A restart of a worker on request goes by way of a fresh standby, started from the program as it
 * is installed now:
 *
 *   CLEAR   until the former standby has left
 *   FRESH   until the fresh one waits for the lease; if it ends instead, nothing has changed
 *   SWAP    the worker was told to hand over (SIGUSR1): until the fresh one works. The next
 *           standby is of the new program, too
 */
#ifndef PRIMARY_RESTART_H
#define PRIMARY_RESTART_H

#include <stdbool.h>
#include <stdint.h>

struct slot;

/* How it ended: 0 or -errno with a sentence. */
typedef void (*restart_done_fn)(void *arg, int status, const char *text);

enum restart_stage {
	RESTART_NONE,
	RESTART_CLEAR,
	RESTART_FRESH,
	RESTART_SWAP,
};

/* Of one slot. */
struct restart {
	enum restart_stage stage;
	int fresh;            /* the process that it started; -1: none */
	int program;          /* and the file it was started from; -1: none */
	restart_done_fn done; /* whoever waits for its end */
	void *arg;
};

#define RESTART_INIT ((struct restart){.fresh = -1, .program = -1})

/* -EBUSY: there is one, or the slot ends for good. `done` is called once, later. */
int restart_begin(struct slot *s, restart_done_fn done, void *arg);

/* Do what is due. */
void restart_advance(struct slot *s, uint64_t now);

/* Process k of the slot ended, which says so in `last_end`. */
void restart_ended(struct slot *s, int k);

/* The slot ends for good. */
void restart_cancel(struct slot *s, const char *why);

#endif
