/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP for IPv4 (RFC 792): echo answered, errors sent. */
#ifndef ICMP_H
#define ICMP_H

#include <stdbool.h>
#include <stdint.h>

#define ICMP_UNREACHABLE   3
#define ICMP_FRAG_NEEDED   4  /* code of ICMP_UNREACHABLE */
#define ICMP_TIME_EXCEEDED 11 /* RFC 792; code 0: in transit */
#define ICMP_PARAMETER     12

struct burst;
struct worker;

/* ICMP whose IP header is checked, `len` bytes: leaves a verdict. */
void icmp_input(struct worker *w, struct burst *b, unsigned int at, uint32_t len);

/* May one more ICMP error, of either family, be sent? Counts it when it may. */
bool icmp_within_rate(struct worker *w);

/*
 * Tell the sender of packet `at` (IP header checked, still as it came) of an error: a new packet,
 * within a rate. The packet itself remains the caller's to drop.
 */
void icmp_error(struct worker *w, const struct burst *b, unsigned int at, uint8_t type,
		uint8_t code);

/* The same: its size is over the next hop's MTU, which the error tells (RFC 1191 section 4). */
void icmp_too_big(struct worker *w, const struct burst *b, unsigned int at, uint16_t mtu);

#endif
