/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One process of a worker slot, followed from its start to its end by what it writes into the
 * slot:
 *
 *   STARTING  until it waits for the lease; 20 s
 *   WAITING   a standby: ready, without the lease
 *   ACTIVE    it holds the lease and is in its loop: it is the worker
 *   LEAVING   told to end; 5 s
 *   KILLED    by us, because it took too long or stood still
 *
 * Who waits or works shows a beat in the slot. A beat that is the same in so many looks in a
 * row is a process that hangs: looks are counted, not time, so that nobody hangs
 * because the whole machine stood still.
 */
#ifndef PRIMARY_PROCESS_H
#define PRIMARY_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <sluice/limits.h>

#define PROCESS_LOOK_MS 25 /* between two looks at a beat */
#define PROCESS_NEVER   UINT64_MAX

struct sl_worker_slot;

enum process_stage {
	PROCESS_NONE,
	PROCESS_STARTING,
	PROCESS_WAITING,
	PROCESS_ACTIVE,
	PROCESS_LEAVING,
	PROCESS_KILLED,
};

/* Times in milliseconds of poller_now(). */
struct process {
	pid_t pid; /* 0: none */
	enum process_stage stage;
	unsigned int k;        /* which of the slot's lcore ids */
	uint64_t since;        /* when it started, was ready to wait, or became the worker */
	uint64_t started;      /* when it started */
	uint64_t due;          /* when its stage has lasted too long */
	bool asked;            /* its end is our doing */
	bool stood_by;         /* it had to wait for the lease */
	bool worked;           /* it was the worker */
	uint64_t beat;         /* as last seen */
	unsigned int missed;   /* looks since then */
	uint64_t next_look;    /* at its beat */
	char why[SL_NAME_LEN]; /* it was killed; empty: it was not */
};

/* A process was started. */
void process_begin(struct process *p, unsigned int k, pid_t pid, uint64_t now);

/*
 * See how it gets on: true when its stage changed. `watchdog`: milliseconds without a beat
 * after which it is killed, 0 never.
 */
bool process_look(struct process *p, const struct sl_worker_slot *slot, unsigned int watchdog,
		  uint64_t now);

/* Send it a signal that means to end. */
void process_ask(struct process *p, int signal, uint64_t now);

/* The worker has gone: whoever waits for its place has to take it soon, or is killed. */
void process_expect_takeover(struct process *p, uint64_t now);

/* It waited or worked at some time; of one that ended, also after our last look. */
bool process_was_ready(const struct process *p, const struct sl_worker_slot *slot);

/* When to look again; PROCESS_NEVER. */
uint64_t process_next_look(const struct process *p, unsigned int watchdog, uint64_t now);

#endif
