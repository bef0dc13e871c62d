/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Work that is too long for one turn of the event loop is done in slices. A turn does one slice, of
 * whoever has waited longest, and then sees to sockets and timers; so what others wait for does not
 * grow with how much there is to do, nor with for how many.
 */
#ifndef CTRL_SLICES_H
#define CTRL_SLICES_H

#include <stdbool.h>
#include <sys/queue.h>

struct event_base;
struct slices;

/* Zeroed at first but for `run`, which may free it, or have it wait again. */
struct slice {
	TAILQ_ENTRY(slice) link;
	void (*run)(struct slice *slice);
	bool waiting;
};

/* NULL: no memory. */
struct slices *slices_new(struct event_base *base);

/* What still waits is not run any more, and is its owner's. */
void slices_free(struct slices *slices);

/* Have it run once, in a turn to come. One that waits already keeps its place. */
void slices_add(struct slices *slices, struct slice *slice);

/* Not any more, if it waits. */
void slices_remove(struct slices *slices, struct slice *slice);

#endif
