/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the store back on a thread and a connection of its own, so that a long read (a
 * revision of a large configuration) holds up neither the event loop nor a commit.
 */
#ifndef CTRL_HISTORY_H
#define CTRL_HISTORY_H

#include "ctrl/background.h"
#include "ctrl/problem.h"

struct event_base;
struct history;
struct sqlite3;
struct upload;

/* NULL with *why. */
struct history *history_new(struct event_base *base, const char *database, struct problem *why);

/* Waits for the task that is under way; `done` is not called for it, nor for those that wait. */
void history_free(struct history *history);

void history_run(struct history *history, struct background_task *task);

/* For the task's work. */
struct sqlite3 *history_database(struct history *history);
struct upload *history_upload(struct history *history);

#endif
