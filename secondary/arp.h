/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP (RFC 826) over Ethernet for IPv4: answers, questions, what is learned. */
#ifndef ARP_H
#define ARP_H

#include <stdint.h>

struct burst;
struct rte_ether_addr;
struct worker;

/* An ARP frame to us or to all: leaves a verdict. */
void arp_input(struct worker *w, struct burst *b, unsigned int at);

/* Ask for `target` on a port, as `source`; `dst` NULL: broadcast. */
void arp_request(struct worker *w, uint8_t port, uint32_t source, uint32_t target,
		 const struct rte_ether_addr *dst);

#endif
