/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is alive in an instance. POSIX record locks in the runtime directory: the
 * kernel drops one with its process, and tells the pid of whoever stands in the way,
 * so no pid file can be stale.
 *
 *   primary.lock      exclusive, the primary, for its life
 *   secondaries.lock  shared, every worker and ctrl, for their lives
 */
#ifndef PRIMARY_LOCK_H
#define PRIMARY_LOCK_H

#include <sys/types.h>

/* Become the instance's primary. 0; -EBUSY with *holder who is; -errno. */
int lock_primary(const char *runtime_dir, pid_t *holder);

/* Become one of its secondaries. 0 or -errno. */
int lock_secondary(const char *runtime_dir);

/* The living primary, if that is not the caller. 0: none. */
pid_t lock_find_primary(const char *runtime_dir);

/* The living secondaries, at most `max` of them. How many. */
int lock_find_secondaries(const char *runtime_dir, pid_t *pids, int max);

#endif
