/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Supervision of the workers, a state machine each:
 *
 *   DOWN      started when its back-off is over
 *   STARTING  until its slot says that it is in its loop; killed after 20 s
 *   RUNNING   nothing to do
 *   STOPPING  told to end (SIGTERM); killed after 5 s
 *
 * A worker that ends unasked is replaced: at once when it had lived for 10 s, else after
 * 100 ms, doubling to 10 s. Workers outlive the primary: nothing ties them to it.
 */
#ifndef PRIMARY_SUPERVISOR_H
#define PRIMARY_SUPERVISOR_H

#include <stdbool.h>

struct boot_config;
struct sl_root;

/* How a restart ended: 0 or -errno with a sentence. */
typedef void (*supervisor_done_fn)(void *arg, int status, const char *text);

/* Start all workers. */
void supervisor_start(const struct boot_config *config, struct sl_root *root);

/* A child ended (SIGCHLD). */
void supervisor_reap(void);

/* Do what is due. */
void supervisor_tick(void);

/* Milliseconds to the next tick; -1 when nothing is due. */
int supervisor_timeout(void);

/* End the worker, start another; `done` is called once, later. -EINVAL, -EBUSY: it is not. */
int supervisor_restart(unsigned int id, supervisor_done_fn done, void *arg);

/* Forget whoever waits under `arg`. */
void supervisor_forget(void *arg);

/* End all workers for good, and whether all have ended. */
void supervisor_stop(void);
bool supervisor_stopped(void);

#endif
