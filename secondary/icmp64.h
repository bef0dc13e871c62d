/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors about packets of FullNAT64, which change their family as the packets do: RFC 7915
 * sections 4.2 and 4.3, and 5.2 and 5.3. For icmp_related.c.
 */
#ifndef ICMP64_H
#define ICMP64_H

#include <rte_icmp.h>

struct burst;
struct icmp6;
struct quote;
struct related;
struct worker;

/*
 * Packet `at` is an error over IPv4 that quotes what the client sent, and goes to the client over
 * IPv6: leaves a verdict. `r`: a connection of FullNAT64.
 */
void icmp64_to_client(struct worker *w, struct burst *b, unsigned int at,
		      const struct rte_icmp_hdr *icmp, const struct quote *q,
		      const struct related *r);

/* The same over IPv6, of what the backend sent. */
void icmp64_to_backend(struct worker *w, struct burst *b, unsigned int at, const struct icmp6 *icmp,
		       const struct quote *q, const struct related *r);

#endif
