/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long the worker was away from its ports: the longest turns of its loop, apart from those
 * around a switch of the snapshot. The latter's excess over the former is what a new
 * configuration costs the traffic. Turns are measured in CPU time, so that the kernel giving
 * the CPU to somebody else is not held against the worker; that takes a system call a turn, which
 * is why other runs do without.
 */
#ifndef BENCH_PAUSES_H
#define BENCH_PAUSES_H

struct worker;

/* Around everything that the worker does between two receives of port 0. */
void pauses_turn_begins(void);
void pauses_turn_ends(const struct worker *w);

void pauses_reset(const struct worker *w);

struct pauses_result {
	double switch_us; /* longest turn in which the snapshot was switched, or soon after */
	double other_us;  /* longest of the others */
	unsigned int switches;
};

void pauses_result(struct pauses_result *r);

#endif
