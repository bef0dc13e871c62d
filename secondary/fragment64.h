/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments from one family to the other: RFC 7915 sections 4.1 and 5.1.1. */
#ifndef FRAGMENT64_H
#define FRAGMENT64_H

#include <stdbool.h>
#include <stdint.h>

#include "secondary/rewrite64.h"

struct burst;
struct worker;

/*
 * Packet `at` of a connection of FullNAT64, which is a fragment or does not fit its link but may be
 * fragmented, goes to the neighbour in as many packets as that takes. True: it left. False: it has
 * its verdict. What it does to its connection has been done.
 */
bool fragment64_leave(struct worker *w, struct burst *b, unsigned int at, uint16_t neigh);

/* May a packet that is no fragment leave in fragments? `l4`: where its transport begins. */
static inline bool fragment64_allowed(struct rte_mbuf *m, unsigned int dir, uint32_t l4)
{
	if (dir == SL_DIR_OUT)
		return !(frame_ip(m)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG));
	return FRAME6_L4 + rte_be_to_cpu_16(frame6_ip(m)->payload_length) - l4 +
		       sizeof(struct rte_ipv4_hdr) <=
	       REWRITE64_MAY_FRAGMENT;
}

#endif
