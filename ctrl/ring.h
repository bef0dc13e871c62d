/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lookup tables of consistent hashing on a ring: D. Karger et al., STOC 1997. Each backend has
 * points on the ring, as many as its weight says; a key belongs to the backend whose point comes
 * next. The table is the ring looked at in equal steps, so that a pick is one load. Whatever
 * backend comes or goes, only what is or was its own moves; shares are even only on
 * average (a backend's share varies by about a tenth), where Maglev's are exact.
 */
#ifndef CTRL_RING_H
#define CTRL_RING_H

#include <stdint.h>

#include <sluice/snapshot.h>

#define RING_BACKENDS_MAX 8192

/* Entries of the table of so many backends; a power of two. */
uint32_t ring_size(uint32_t n);

/* Write it. At least one weight is not 0; at most RING_BACKENDS_MAX backends. -ENOMEM. */
int ring_fill(const struct sl_backend *backend, uint32_t n, uint32_t *out);

#endif
