/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The seed of an instance: random, secret, in the runtime directory, so that flows belong to the
 * same workers after a restart of the whole, and connections that were carried over are found.
 */
#ifndef PRIMARY_SEED_H
#define PRIMARY_SEED_H

#include <stdint.h>

/* The one there is, or a new one. 0 or -errno, logged. */
int seed_get(const char *runtime_dir, uint64_t *seed);

#endif
