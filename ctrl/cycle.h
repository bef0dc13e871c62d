/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cycle of backends that rr and wrr walk, and that sh indexes. rr: each backend with a weight,
 * once. wrr and sh: each as often as its weight divided by the weights' greatest common
 * divisor, spread evenly: occurrence k of w stands at (2k + 1) / (2w) of the cycle, ties by
 * position.
 */
#ifndef CTRL_CYCLE_H
#define CTRL_CYCLE_H

#include <stdint.h>

#include <sluice/snapshot.h>

#define CYCLE_MAX 65536 /* picks in a cycle */

/*
 * How often each backend comes in a cycle, in the smallest numbers; `share` may be `weight`.
 * A cycle follows from this alone.
 */
void cycle_shares(enum sl_scheduler scheduler, const uint16_t *weight, uint32_t n, uint16_t *share);

/* Picks that it takes; may exceed CYCLE_MAX. */
uint64_t cycle_length(const uint16_t *share, uint32_t n);

/* Write them, at most CYCLE_MAX: a backend's position each. -ENOMEM. */
int cycle_make(const uint16_t *share, uint32_t n, uint32_t *out);

#endif
