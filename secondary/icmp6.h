/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMPv6 (RFC 4443): echo answered, errors sent, neighbour discovery passed on (ndp.h). */
#ifndef ICMP6_H
#define ICMP6_H

#include <stdint.h>

#define ICMP6_PACKET_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED  3 /* code 0: in transit */
#define ICMP6_ECHO_REQUEST   128
#define ICMP6_ECHO_REPLY     129
#define ICMP6_SOLICITATION   135
#define ICMP6_ADVERTISEMENT  136

struct burst;
struct worker;

/* RFC 4443 section 2.1; what `rest` means is the type's. */
struct icmp6 {
	uint8_t type;
	uint8_t code;
	uint16_t checksum;
	uint32_t rest;
};

/* ICMPv6 of `len` bytes at `l4` of the frame, whose IP headers are checked: leaves a verdict. */
void icmp6_input(struct worker *w, struct burst *b, unsigned int at, uint32_t l4, uint32_t len);

/*
 * Tell the sender of packet `at` (TCP or UDP to us, still as it came) of an error: a new packet,
 * within a rate. `parameter`: host order; the MTU of a packet too big. The packet itself remains
 * the caller's to drop.
 */
void icmp6_error(struct worker *w, const struct burst *b, unsigned int at, uint8_t type,
		 uint8_t code, uint32_t parameter);

#endif
