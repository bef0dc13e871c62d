/* SPDX-License-Identifier: BSD-3-Clause */
/* What the generators of the chaos run have in common: load.c through sockets, blast.c on rings. */
#ifndef CHAOS_THREAD_H
#define CHAOS_THREAD_H

#include <stdint.h>
#include <time.h>

static inline uint64_t timespec_ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

/* Each ends the program when the machine refuses. */
void die(const char *what);
void start_thread(void *(*run)(void *), void *argument);

/*
 * Ahead of everybody else on a busy machine, and sleeping no longer than said: what is late is the
 * appliance, not we.
 */
void go_first(void);

uint64_t now_ns(void);
void sleep_until(uint64_t ns);

/*
 * machine.c: on each CPU a thread sleeps shortly, again and again. Longest time by which one ran
 * later than it asked for, in us, since the last look.
 */
void machine_start(void);
uint64_t machine_look(void);

#endif
