/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The audit log's entries of calls that no revision came of: refused ones, restarts of workers.
 * (A revision's own entry is part of its transaction: store_commit.) They wait in memory, a
 * bounded number of them, until the thread that has the store writes them, all that wait in one
 * transaction: callers are not kept waiting, and a flood of refused calls is not a flood of
 * fsyncs. What was waiting when the daemon is killed is lost; what there was no room for is
 * counted, and said in an entry of its own.
 */
#ifndef CTRL_AUDIT_H
#define CTRL_AUDIT_H

#include "ctrl/background.h"
#include "ctrl/store.h"

struct audit;

/* NULL with errno. */
struct audit *audit_new(struct background *background, struct store *store);

/* After background_free: writes what waits. */
void audit_free(struct audit *audit);

/* All is copied. */
void audit_add(struct audit *audit, const struct store_audit *entry);

#endif
