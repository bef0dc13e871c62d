/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lease of a worker slot: a robust, process-shared mutex (pthreads). To hold
 * it is to be the worker. The kernel releases it when the holder dies, and
 * the next holder is told, so it knows that the slot needs repair.
 * Implemented in secondary/lease.c.
 */
#ifndef SL_LEASE_H
#define SL_LEASE_H

#include <pthread.h>
#include <stdbool.h>

struct sl_lease {
	pthread_mutex_t mutex;
};

/* Primary, when it creates the slot. 0 or -errno. */
int sl_lease_init(struct sl_lease *lease);

/*
 * Wait at most timeout_ms for the lease. 0, with *owner_died saying whether
 * the last holder ended without releasing it; -ETIMEDOUT; -errno.
 */
int sl_lease_acquire(struct sl_lease *lease, unsigned int timeout_ms, bool *owner_died);

void sl_lease_release(struct sl_lease *lease);

#endif
