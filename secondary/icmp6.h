/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMPv6 (RFC 4443): echo answered, errors sent, neighbour discovery passed on (ndp.h). */
#ifndef ICMP6_H
#define ICMP6_H

#include <rte_byteorder.h>
#include <rte_common.h>

#include <stdbool.h>
#include <stdint.h>

#include "secondary/frame6.h"

#define ICMP6_UNREACHABLE    1
#define ICMP6_PACKET_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED  3 /* code 0: in transit */
#define ICMP6_PARAMETER      4
#define ICMP6_ECHO_REQUEST   128
#define ICMP6_ECHO_REPLY     129
#define ICMP6_SOLICITATION   135
#define ICMP6_ADVERTISEMENT  136

#define ICMP6_ERROR_MAX      1280 /* bytes of an error's packet: the least MTU, RFC 4443 2.4 (c) */

struct burst;
struct worker;

/* RFC 4443 section 2.1; what `rest` means is the type's. */
struct icmp6 {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint32_t rest;
};

/* A packet is over this MTU. */
static inline struct icmp6 icmp6_of_too_big(uint32_t mtu)
{
	/* nobody sends less than what every link carries: RFC 8201 section 4 */
	return (struct icmp6){.type = ICMP6_PACKET_TOO_BIG,
			      .rest = rte_cpu_to_be_32(RTE_MAX(mtu, (uint32_t)FRAME6_MTU_MIN))};
}

/* The MTU that such an error tells; 0: it is another. */
static inline uint32_t icmp6_too_big_mtu(const struct icmp6 *icmp)
{
	return icmp->type == ICMP6_PACKET_TOO_BIG ? rte_be_to_cpu_32(icmp->rest) : 0;
}

/*
 * ICMPv6 of `len` bytes at `l4` of the frame, whose IP headers are checked. True: echo that is not
 * for us, which may have a connection; else it has its verdict.
 */
bool icmp6_input(struct worker *w, struct burst *b, unsigned int at, uint32_t l4, uint32_t len);

/*
 * Tell the sender of packet `at` (TCP or UDP to us, still as it came) of an error: a new packet,
 * within a rate. The packet itself remains the caller's to drop.
 */
void icmp6_error(struct worker *w, const struct burst *b, unsigned int at, struct icmp6 what);

/* Make an error of `what` before the `quote` bytes that stand behind the place of its headers. */
void icmp6_fill(struct frame6_ip *ip, const struct sl_addr *from, const struct sl_addr *to,
		struct icmp6 what, uint16_t quote);

/* The checksum of ICMPv6 of `len` bytes. */
void icmp6_seal(const struct frame6_ip *ip, struct icmp6 *icmp, uint32_t len);

#endif
