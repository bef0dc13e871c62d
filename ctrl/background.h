/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread for what takes long, so that the event loop goes on: tasks one after another, in the
 * order in which they came. What a task works on is its own until `done`; of what others
 * see it may only read, and only what nobody changes meanwhile.
 */
#ifndef CTRL_BACKGROUND_H
#define CTRL_BACKGROUND_H

#include <stdbool.h>
#include <sys/queue.h>

struct background;
struct event_base;

/* Part of its owner's struct, who keeps it until `done` or background_free. */
struct background_task {
	STAILQ_ENTRY(background_task) link;
	void (*work)(struct background_task *task); /* on the thread */
	void (*done)(struct background_task *task); /* on the event loop, afterwards */
	/*
	 * It takes the CPU for long: not with more right to it than everybody has, since workers
	 * may be on that CPU (`sluice ctrl --nice`).
	 */
	bool large;
};

/* NULL with errno. */
struct background *background_new(struct event_base *base);

/* Waits for the task that is under way; `done` is not called for it, nor for those that wait. */
void background_free(struct background *background);

void background_run(struct background *background, struct background_task *task);

#endif
