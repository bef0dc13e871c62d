/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a process to the worker of a slot, so that what is done with the lease is short:
 *
 *   prepare  all memory of the process's own is there and touched. Nothing shared is written
 *            and no buffer pool or queue is touched: another process works in the slot.
 *   wait     for the lease, as a standby; every so often it looks whether it shall leave
 *   bind     the lease is held: what a dead predecessor left is repaired, then the slot is ours
 *   end      what came meanwhile is on its way: from now on the process is like everybody else
 */
#ifndef TAKEOVER_H
#define TAKEOVER_H

#include <signal.h>
#include <stdbool.h>

struct sl_root;
struct worker;

/* 0 or -errno. */
int takeover_prepare(struct worker *w, struct sl_root *root, unsigned int id);

/*
 * Wait, under lcore id k of the slot. 0 with *owner_died when the last holder left the lease by
 * dying; -ECANCELED when told to stop, unless there is a dead one's work to put right; -errno.
 */
int takeover_wait(struct worker *w, unsigned int k, const volatile sig_atomic_t *stop,
		  bool *owner_died);

void takeover_bind(struct worker *w, bool owner_died);
void takeover_end(void);

#endif
