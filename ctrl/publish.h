/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The snapshot arena, of which ctrl is the only writer. A publication: find the half that nobody
 * uses, fill it (ctrl/compile.h), make it the current one, tell the workers (ctrl/commands.h),
 * wait until each of them uses it.
 *
 * A worker that isn't running is not waited for: it reads the current snapshot when it starts.
 * Each worker is told nevertheless, since one that is just starting may have read the former.
 */
#ifndef CTRL_PUBLISH_H
#define CTRL_PUBLISH_H

#include <sluice/shm.h>

#include "ctrl/problem.h"

struct commands;
struct event_base;
struct primary_client;
struct publish;

/*
 * Tells those of the current snapshot whom a killed predecessor had not told. NULL with errno. The
 * primary is told of publications; without one (NULL) nobody is.
 */
struct publish *publish_new(struct event_base *base, struct sl_root *root,
			    struct commands *commands, struct primary_client *primary);
void publish_free(struct publish *publish);

/* problem->code PROBLEM_NONE: done. May be called from within the call that takes it. */
typedef void (*publish_fn)(void *arg, const struct problem *problem);

/*
 * Wait, bounded, until the other half is free; unavailable, with who uses it, when it isn't.
 * From then on it is the caller's until publish_go or the next publish_prepare.
 */
void publish_prepare(struct publish *publish, publish_fn ready, void *arg);

/* The half to fill, and the generation that it will have. */
struct sl_snapshot *publish_half(const struct publish *publish, uint64_t *generation);

/* The current snapshot; NULL when there is none. */
const struct sl_snapshot *publish_current(const struct publish *publish);

/*
 * Make the filled half current. deadline_exceeded, with which workers, when some don't use it
 * after PUBLISH_ACK_MS; it is current nevertheless.
 */
void publish_go(struct publish *publish, publish_fn done, void *arg);

#define PUBLISH_FREE_MS 1000
#define PUBLISH_ACK_MS  2000

#endif
