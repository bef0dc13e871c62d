/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the machine does by itself: on each CPU a thread of a worker's priority that sleeps shortly
 * again and again, and how much later than it asked for it runs. A pause that is not longer than
 * that needs no other reason.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/chaos/thread.h"

#define SLEEP_NS 250000 /* cheap enough to be left running */

static atomic_uint_fast64_t latest_ns;

static void note(uint64_t late)
{
	uint64_t known = atomic_load(&latest_ns);

	while (late > known && !atomic_compare_exchange_weak(&latest_ns, &known, late))
		;
}

static void *sleep_again(void *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		uint64_t due = now_ns() + SLEEP_NS;

		sleep_until(due);
		note(now_ns() - due);
	}
	return NULL;
}

void machine_start(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	for (long cpu = 0; cpu < n; cpu++)
		start_thread(sleep_again, (void *)cpu);
}

uint64_t machine_look(void)
{
	return atomic_exchange(&latest_ns, 0) / 1000;
}
