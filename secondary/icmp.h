/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP for IPv4 (RFC 792): echo answered, errors sent. */
#ifndef ICMP_H
#define ICMP_H

#include <rte_byteorder.h>
#include <rte_icmp.h>
#include <rte_ip.h>

#include <stdbool.h>
#include <stdint.h>

#define ICMP_UNREACHABLE   3
#define ICMP_FRAG_NEEDED   4  /* code of ICMP_UNREACHABLE */
#define ICMP_TIME_EXCEEDED 11 /* RFC 792; code 0: in transit */
#define ICMP_PARAMETER     12

#define ICMP_ERROR_MAX     576 /* bytes of an error's packet, RFC 1812 section 4.3.2.3 */

struct burst;
struct worker;

/* A packet is over this MTU: RFC 1191 section 4. */
static inline struct rte_icmp_hdr icmp_of_too_big(uint16_t mtu)
{
	return (struct rte_icmp_hdr){.icmp_type = ICMP_UNREACHABLE,
				     .icmp_code = ICMP_FRAG_NEEDED,
				     .icmp_seq_nb = rte_cpu_to_be_16(mtu)};
}

/* The MTU that such an error tells; 0: it is another, or of a router that tells none. */
static inline uint16_t icmp_too_big_mtu(const struct rte_icmp_hdr *icmp)
{
	if (icmp->icmp_type != ICMP_UNREACHABLE || icmp->icmp_code != ICMP_FRAG_NEEDED)
		return 0;
	return rte_be_to_cpu_16(icmp->icmp_seq_nb);
}

/*
 * ICMP whose IP header is checked, `len` bytes. True: echo that is not for us, which may have a
 * connection; else it has its verdict.
 */
bool icmp_input(struct worker *w, struct burst *b, unsigned int at, uint32_t len);

/* May one more ICMP error, of either family, be sent? Counts it when it may. */
bool icmp_within_rate(struct worker *w);

/*
 * Tell the sender of packet `at` (IP header checked, still as it came) of an error: a new packet,
 * within a rate. The packet itself remains the caller's to drop.
 */
void icmp_error(struct worker *w, const struct burst *b, unsigned int at, uint8_t type,
		uint8_t code);

/* icmp_error() of packet `at`: its size is over the next hop's MTU, which the error tells (RFC 1191
 * section 4). */
void icmp_too_big(struct worker *w, const struct burst *b, unsigned int at, uint16_t mtu);

/* Make an error of `what` before the `quote` bytes that stand behind the place of its headers. */
void icmp_fill(struct rte_ipv4_hdr *ip, rte_be32_t from, rte_be32_t to, struct rte_icmp_hdr what,
	       uint16_t quote);

/* Both checksums of ICMP of `len` bytes behind this header. */
void icmp_seal(struct rte_ipv4_hdr *ip, uint32_t len);

#endif
