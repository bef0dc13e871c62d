/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hashes of a backend's address and port: the backend's identity in tables of consistent
 * hashing. No seed and no id goes into it, so that every appliance with the same backends makes the
 * same tables, and a backend that comes back gets what it had.
 */
#ifndef CTRL_ENDPOINT_HASH_H
#define CTRL_ENDPOINT_HASH_H

#include <stdint.h>

#include <sluice/snapshot.h>

/* splitmix64's finalizer (Steele et al., OOPSLA 2014). */
static inline uint64_t endpoint_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* The nth hash of a backend. */
static inline uint64_t endpoint_hash(const struct sl_backend *b, uint32_t nth)
{
	const uint32_t *w = b->addr.w;
	uint64_t x = endpoint_mix(((uint64_t)w[0] << 32 | w[1]) + UINT64_C(0x9e3779b97f4a7c15));

	x = endpoint_mix(x ^ ((uint64_t)w[2] << 32 | w[3]));
	return endpoint_mix(x ^ ((uint64_t)b->port << 32 | nth));
}

#endif
