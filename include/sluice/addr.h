/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An address of either family, as configuration and snapshot hold it: 16 bytes in network byte
 * order, IPv4 as IPv4-mapped (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2). Packets and
 * connections of IPv4 have plain words (uint32_t, network byte order).
 */
#ifndef SL_ADDR_H
#define SL_ADDR_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct sl_addr {
	uint32_t w[4];
};
static_assert(sizeof(struct sl_addr) == 16, "an IPv6 address");

#define SL_ADDR_V4_PREFIX 0xffff0000u /* w[2] of an IPv4-mapped address, little endian */

#define SL_ADDR_V4(addr)                                       \
	{                                                      \
		.w = { [2] = SL_ADDR_V4_PREFIX, [3] = (addr) } \
	}

static inline struct sl_addr sl_addr_of_v4(uint32_t addr)
{
	return (struct sl_addr)SL_ADDR_V4(addr);
}

static inline bool sl_addr_is_v4(const struct sl_addr *a)
{
	return !(a->w[0] | a->w[1] | (a->w[2] ^ SL_ADDR_V4_PREFIX));
}

/* Of an address that is IPv4's. */
static inline uint32_t sl_addr_v4(const struct sl_addr *a)
{
	return a->w[3];
}

/* Zeros: an address that is not set. */
static inline bool sl_addr_is_none(const struct sl_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

static inline bool sl_addr_equal(const struct sl_addr *a, const struct sl_addr *b)
{
	return !((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) |
		 (a->w[3] ^ b->w[3]));
}

/*
 * Words of a hash's input that any of the address's bits change: an IPv4 address is itself, so that
 * who has it as a plain word hashes alike.
 */
static inline uint32_t sl_addr_fold(const struct sl_addr *a)
{
	uint64_t x = ((uint64_t)a->w[1] << 32 | a->w[0]) * UINT64_C(0xbf58476d1ce4e5b9);

	if (sl_addr_is_v4(a))
		return sl_addr_v4(a);
	x ^= x >> 32;
	x = (x + ((uint64_t)a->w[3] << 32 | a->w[2])) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(x >> 32);
}

/* fe80::/10, RFC 4291 section 2.5.6. */
static inline bool sl_addr_is_link_local(const struct sl_addr *a)
{
	return (a->w[0] & 0xc0ff) == 0x80fe; /* little endian */
}

#endif
