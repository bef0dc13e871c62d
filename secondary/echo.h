/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP echo through SNAT, of either family: its identifier stands for the port of who asks (RFC
 * 5508 section 3), so that a request and its reply have tuples as datagrams have.
 */
#ifndef ECHO_H
#define ECHO_H

#include <netinet/in.h>
#include <stdbool.h>

#include <rte_byteorder.h>
#include <rte_icmp.h>

#include <sluice/conn.h>

#include "secondary/icmp.h"
#include "secondary/icmp6.h"

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

static inline struct echo_ports echo6_ports(const struct icmp6 *icmp)
{
	rte_be16_t ident = (rte_be16_t)icmp->rest; /* its first half */

	if (icmp->type == ICMP6_ECHO_REQUEST)
		return (struct echo_ports){.sport = ident};
	if (icmp->type == ICMP6_ECHO_REPLY)
		return (struct echo_ports){.dport = ident};
	return (struct echo_ports){0};
}

/* Protocol and ports of a tuple over IPv6 (sluice/conn.h). */
static inline void echo6_set(struct sl_tuple6 *tuple, const struct icmp6 *icmp)
{
	struct echo_ports ports = echo6_ports(icmp);

	tuple->proto = IPPROTO_ICMP;
	tuple->sport = ports.sport;
	tuple->dport = ports.dport;
}

/* A packet with a connection goes out, as in forward.c and forward6.c. True: it left. */
bool forward_echo(struct worker *w, struct burst *b, unsigned int at);
bool forward6_echo(struct worker *w, struct burst *b, unsigned int at);

#endif
