/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internet checksum arithmetic (RFC 1071) and incremental update (RFC 1624,
 * equation 3: HC' = ~(~HC + ~m + m')). Sums are of 16-bit words as they stand in
 * memory (network byte order), kept in 32 bits and folded; that is sound on
 * either endianness (RFC 1071, section 2 (B)).
 */
#ifndef SL_CSUM_H
#define SL_CSUM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint16_t sl_csum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* The same of a sum of 32-bit words, below 2^48. */
static inline uint16_t sl_csum_fold64(uint64_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	return sl_csum_fold((uint32_t)sum);
}

/* Difference that replacing a 16-bit word makes. */
static inline uint32_t sl_csum_delta16(uint16_t from, uint16_t to)
{
	return (uint16_t)~from + (uint32_t)to;
}

/* Difference that replacing a 32-bit word makes. */
static inline uint32_t sl_csum_delta32(uint32_t from, uint32_t to)
{
	return sl_csum_delta16((uint16_t)from, (uint16_t)to) +
	       sl_csum_delta16((uint16_t)(from >> 16), (uint16_t)(to >> 16));
}

/*
 * A checksum field after a folded difference is applied: ~(~field + delta), which in ones'
 * complement is field - delta, bit by bit. A borrow comes back at the low end.
 */
static inline uint16_t sl_csum_apply(uint16_t field, uint16_t delta)
{
	uint16_t difference;
	bool borrow = __builtin_sub_overflow(field, delta, &difference);

	return (uint16_t)(difference - borrow);
}

/*
 * The same of UDP's, which is all ones instead of 0 (RFC 768). `field` is not 0: there is a
 * checksum. As a sum: equal ones come to 0xffff without a carry, and nothing comes to 0.
 */
static inline uint16_t sl_csum_apply_udp(uint16_t field, uint16_t delta)
{
	uint16_t sum;
	bool carry = __builtin_add_overflow(field, (uint16_t)~delta, &sum);

	return (uint16_t)(sum + carry);
}

#endif
