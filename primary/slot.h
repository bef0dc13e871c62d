/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's slot as the primary sees it: its two processes, which of them works, when the next
 * one may be started, and how far a restart on request is. What others shall know of it is shown in
 * the slot's `supervisor` block.
 */
#ifndef PRIMARY_SLOT_H
#define PRIMARY_SLOT_H

#include <stdbool.h>

#include "primary/backoff.h"
#include "primary/process.h"
#include "primary/restart.h"

struct boot_config;

#define SLOT_NOBODY (-1)

struct slot {
	struct sl_worker_slot *shared;
	const struct boot_config *config;
	struct process process[2]; /* by lcore id */
	int worker;                /* which of these works; SLOT_NOBODY */
	int program;               /* file of the program that the slot runs */
	struct backoff backoff;
	struct restart restart;
	bool restart_wanted; /* its turn in a restart of all will come */
	bool stopping;       /* for good */
};

/* `program`: a file of ours, which is the slot's from now on. */
void slot_init(struct slot *s, struct sl_worker_slot *shared, const struct boot_config *config,
	       int program);

unsigned int slot_id(const struct slot *s);

/* How many processes there are; they are not all at work. */
unsigned int slot_living(const struct slot *s);

/* The one beside the worker, or beside nobody. */
struct process *slot_other(struct slot *s);

/* Start a process from `program` under the lcore id that is free. Which one, or -errno. */
int slot_start(struct slot *s, int program);

/* Show in shared memory how the slot is. */
void slot_show(struct slot *s);

#endif
