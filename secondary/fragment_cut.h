/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragmenting what leaves over IPv4 (RFC 791 section 3.2): packets without DF that do not fit. */
#ifndef FRAGMENT_CUT_H
#define FRAGMENT_CUT_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct worker;

#define FRAGMENT_PIECES 64 /* of one packet */

/*
 * Copy the IPv4 packet of frame `m`, which may be a fragment itself, into as few fragments of at
 * most `mtu` bytes as that takes; one, if it fits. Buffers are the worker's own. Returns how many;
 * 0 with *why: there is no buffer, or the MTU is too small. The packet remains the caller's.
 */
unsigned int fragment_cut(struct worker *w, struct rte_mbuf *m, uint32_t mtu,
			  struct rte_mbuf **piece, uint8_t *why);

/* Frames go to a neighbour; what can't is dropped. */
void fragment_send_all(struct worker *w, struct rte_mbuf **m, unsigned int n, uint16_t neigh);

/*
 * Send a packet over IPv4, complete but for its Ethernet header, to a neighbour: in fragments if it
 * is over `mtu` and has no DF. True: it is gone. False: *why, still the caller's.
 */
bool fragment_send(struct worker *w, struct rte_mbuf *m, uint16_t neigh, uint32_t mtu,
		   uint8_t *why);

#endif
