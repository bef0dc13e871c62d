/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long to wait before the next process of a slot is started, by how the one that ended did:
 *
 *   told to end, or ready for a second   at once
 *   ready for less                       at once, the next time after 100 ms, doubling to 1 s
 *   never ready, or not even started     after 100 ms, doubling to 10 s
 *
 * Ready: it waited for the lease, or worked. What was ready can run here, and packets wait
 * for the next one, so even a row of young deaths leaves a slot alone for a second at most. What
 * never came so far lacks something of the program or the machine, which haste does not mend.
 */
#ifndef PRIMARY_BACKOFF_H
#define PRIMARY_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds. */
#define BACKOFF_MIN       100u
#define BACKOFF_READY_MAX 1000u
#define BACKOFF_MAX       10000u

/* Of one slot. Times in milliseconds of poller_now(). */
struct backoff {
	unsigned int next; /* the wait after one more that does badly */
	uint64_t due;      /* when the next start may be */
	bool waiting;      /* for that start: it was not yet */
};

/* A process ended. `lived`: milliseconds since it was ready, of one that was. */
void backoff_ended(struct backoff *b, bool asked, bool ready, uint64_t lived, uint64_t now);

void backoff_started(struct backoff *b);

/* None could be started. */
void backoff_no_start(struct backoff *b, uint64_t now);

#endif
