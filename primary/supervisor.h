/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Supervision of the workers. Each slot has one process that works and, unless the configuration
 * says no, a standby that is ready and waits for the lease (process.h). Whoever ends is
 * replaced:
 *
 *   the worker ends   the standby has gone on before we know it; a new standby is started
 *   the standby ends  a new one is started
 *   both end          one is started, cold; then its standby
 *
 * At most two at a time, the second only when the first works. Who ends unasked is
 * replaced at once when it had lived for a second, else after 100 ms, doubling to 10 s. Workers
 * outlive the primary: nothing ties them to it.
 *
 * A restart on request goes by way of a fresh standby, started from the program as it is
 * installed now. If that one does not come to wait for the lease, nothing has changed. Else
 * the worker is told to hand over (SIGUSR1), and the next standby is of the new program, too.
 */
#ifndef PRIMARY_SUPERVISOR_H
#define PRIMARY_SUPERVISOR_H

#include <stdbool.h>

struct boot_config;
struct sl_root;

/* How a restart ended: 0 or -errno with a sentence. */
typedef void (*supervisor_done_fn)(void *arg, int status, const char *text);

/* Start all workers. 0 or -errno. */
int supervisor_start(const struct boot_config *config, struct sl_root *root);

/* A child ended (SIGCHLD). */
void supervisor_reap(void);

/* Do what is due. */
void supervisor_tick(void);

/* Milliseconds to the next tick; -1 when nothing is due. */
int supervisor_timeout(void);

/* End the worker, start another; `done` is called once, later. -EINVAL, -EBUSY: it is not. */
int supervisor_restart(unsigned int id, supervisor_done_fn done, void *arg);

/* Restart every worker, one after the other. */
void supervisor_restart_all(void);

/* Forget whoever waits under `arg`. */
void supervisor_forget(void *arg);

/* End all workers for good, and whether all have ended. */
void supervisor_stop(void);
bool supervisor_stopped(void);

#endif
