/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP echo through SNAT: its identifier stands for the port of who asks (RFC 5508 section 3), so
 * that a request and its reply have tuples as datagrams have.
 */
#ifndef ECHO_H
#define ECHO_H

#include <stdbool.h>

#include <rte_byteorder.h>
#include <rte_icmp.h>

#include "secondary/icmp.h"

struct burst;
struct worker;

/* Source port and destination port of echo; both 0 of anything else. */
struct echo_ports {
	rte_be16_t sport, dport;
};

static inline struct echo_ports echo_ports(const struct rte_icmp_hdr *icmp)
{
	if (icmp->icmp_type == RTE_IP_ICMP_ECHO_REQUEST)
		return (struct echo_ports){.sport = icmp->icmp_ident};
	if (icmp->icmp_type == RTE_IP_ICMP_ECHO_REPLY)
		return (struct echo_ports){.dport = icmp->icmp_ident};
	return (struct echo_ports){0};
}

/* A packet with a connection goes out, as in forward.c. True: it left. */
bool forward_echo(struct worker *w, struct burst *b, unsigned int at);

#endif
