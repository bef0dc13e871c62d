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
 * At most two at a time, the second only when the first works, and each after what backoff.h says.
 * Workers outlive the primary: nothing ties them to it. Restarts on request: restart.h.
 */
#ifndef PRIMARY_SUPERVISOR_H
#define PRIMARY_SUPERVISOR_H

#include <stdbool.h>

#include "primary/restart.h"

struct boot_config;
struct sl_root;

/* Start all workers. 0 or -errno. */
int supervisor_start(const struct boot_config *config, struct sl_root *root);

/* A child ended (SIGCHLD). */
void supervisor_reap(void);

/* Do what is due. */
void supervisor_tick(void);

/* Milliseconds to the next tick; -1 when nothing is due. */
int supervisor_timeout(void);

/* End the worker, start another; `done` is called once, later. -EINVAL, -EBUSY: it is not. */
int supervisor_restart(unsigned int id, restart_done_fn done, void *arg);

/* Restart every worker, one after the other. */
void supervisor_restart_all(void);

/* Forget whoever waits under `arg`. */
void supervisor_forget(void *arg);

/* End all workers for good, and whether all have ended. */
void supervisor_stop(void);
bool supervisor_stopped(void);

#endif
