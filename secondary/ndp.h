/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbour discovery for IPv6 (RFC 4861), as far as a router that sends no router advertisements
 * has to: solicitations answered and sent, advertisements learned, addresses of ours announced.
 *
 * Duplicate address detection (RFC 4862 section 5.4) is optimistic (RFC 4429): an address is used
 * at once, and when the configuration brings one, worker 0 asks for it from the unspecified address
 * and a second later tells everybody (an unsolicited advertisement). Whoever says that it has
 * it, then or at any time, is counted (address_conflicts); who asks whether somebody has it is
 * told.
 */
#ifndef NDP_H
#define NDP_H

#include <stdint.h>

#include <sluice/addr.h>

struct burst;
struct rte_ether_addr;
struct worker;

/* What of it is under way; private to a worker. */
struct ndp_announcing {
	uint32_t epoch; /* the snapshot's own_epoch that is being announced, or was */
	uint32_t at;    /* next place of own_hash */
	uint8_t round;  /* 0: ask whether they are taken, 1: announce, 2: done */
	uint32_t due;   /* tick */
};

/* A solicitation or advertisement whose checksum is right: leaves a verdict. */
void ndp_input(struct worker *w, struct burst *b, unsigned int at, uint32_t l4, uint32_t len);

/* Ask who has `target`, from `source`: `dst` alone when it is known, else all who may be it. */
void ndp_solicit(struct worker *w, uint8_t port, const struct sl_addr *source,
		 const struct sl_addr *target, const struct rte_ether_addr *dst);

/* A tick passed: announce addresses that are new, a few at a time. */
void ndp_tick(struct worker *w);

#endif
