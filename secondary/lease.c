/* SPDX-License-Identifier: BSD-3-Clause */
#include <sluice/lease.h>

#include <errno.h>
#include <time.h>

int sl_lease_init(struct sl_lease *lease)
{
	pthread_mutexattr_t attr;
	int rc = pthread_mutexattr_init(&attr);

	if (rc)
		return -rc;
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	rc = pthread_mutex_init(&lease->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return -rc;
}

int sl_lease_acquire(struct sl_lease *lease, unsigned int timeout_ms, bool *owner_died)
{
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	rc = pthread_mutex_clocklock(&lease->mutex, CLOCK_MONOTONIC, &until);
	*owner_died = rc == EOWNERDEAD;
	if (rc == EOWNERDEAD)
		rc = pthread_mutex_consistent(&lease->mutex);
	return -rc;
}

void sl_lease_release(struct sl_lease *lease)
{
	pthread_mutex_unlock(&lease->mutex);
}
