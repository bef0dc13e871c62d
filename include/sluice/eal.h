/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting the DPDK environment, the same way in every role. Implemented in
 * primary/eal.c. Initialisation is serialised between the processes of an
 * instance by a lock file, since a process killed inside it can leave the library's
 * shared locks taken; the primary, when it restarts one, repairs under the same lock.
 */
#ifndef SL_EAL_H
#define SL_EAL_H

#include <stdbool.h>

/* Where an instance keeps its sockets, lock files: default /run/sluice. */
#define SL_DEFAULT_RUNTIME_DIR "/run/sluice"

struct sl_eal_secondary {
	const char *program;     /* argv[0] */
	const char *instance;    /* EAL file prefix: the instance's name */
	const char *runtime_dir; /* holds eal.lock */
	unsigned int lcore;      /* SL_LCORE_* */
	int cpu;                 /* CPU to pin to; -1: not pinned, all CPUs */
};

/*
 * Become a secondary of a running primary. Bounded wait for the lock. 0 or -errno, with
 * the reason logged: -ESRCH no primary, -ETIMEDOUT lock held too long.
 */
int sl_eal_init_secondary(const struct sl_eal_secondary *how);

#endif
