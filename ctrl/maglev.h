/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lookup tables of Maglev hashing: D. Eisenbud et al., "Maglev: A Fast and Reliable Software
 * Network Load Balancer", NSDI 2016, section 3.4. Each backend has a permutation of the table's
 * entries, (offset + k * skip) mod size; in turn each takes the next entry of its permutation that
 * is free. So entries are shared out evenly, and without one backend nearly all of the others'
 * entries stay whose they are.
 */
#ifndef CTRL_MAGLEV_H
#define CTRL_MAGLEV_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/snapshot.h>

#define MAGLEV_SIZE_MAX 4194301 /* the greatest prime under 2^22 */

struct maglev_backend {
	uint32_t offset; /* under the size */
	uint32_t skip;   /* 1 to the size less 1 */
	uint32_t weight; /* turns, relative to the others'; 0: none */
};

/* Permutation of a backend in a table of so many entries: from its address and port alone. */
struct maglev_backend maglev_backend(const struct sl_backend *backend, uint32_t size);

/*
 * Write the table: a position among the `n` backends for each entry. `size` is a prime; at
 * least one weight is not 0. -ENOMEM.
 */
int maglev_fill(const struct maglev_backend *backend, uint32_t n, uint32_t size, uint32_t *out);

bool maglev_is_prime(uint32_t n);

/*
 * Size for so many backends when none is configured: a prime of at least 100 times as many, so
 * that no backend of equal ones has over 1.01 times the mean (section 5.3 of the paper); and of 3
 * to 4 times their square, so that a failure moves less than twice what it has to. The greatest
 * size is enough for that up to 1000 backends.
 */
uint32_t maglev_default_size(uint32_t n);

#endif
