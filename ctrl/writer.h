/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread that writes revisions, so that waiting for the disk does not stop the event loop.
 * One commit at a time; what it is given must stay as it is until `done`, on the event loop.
 */
#ifndef CTRL_WRITER_H
#define CTRL_WRITER_H

#include "ctrl/store.h"

struct event_base;
struct writer;

/* NULL with errno. */
struct writer *writer_new(struct event_base *base, struct store *store);

/* Waits for a commit that is under way; its `done` is not called. */
void writer_free(struct writer *writer);

/* problem->code PROBLEM_NONE: it is on the disk. */
typedef void (*writer_done_fn)(void *arg, const struct problem *problem);

void writer_commit(struct writer *writer, const struct store_revision *revision,
		   writer_done_fn done, void *arg);

#endif
