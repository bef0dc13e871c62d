/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors about the outer packets of tunnels. */
#ifndef ICMP_TUNNEL_H
#define ICMP_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

struct burst;
struct quote;
struct worker;

/*
 * Packet `at` is an error that quotes `outer`; `mtu` is what it says of a packet too big, 0 when it
 * is another error. False: the quoted packet is no tunnel's. True: `at` has its verdict.
 */
bool icmp_tunnel(struct worker *w, struct burst *b, unsigned int at, const struct quote *outer,
		 uint32_t mtu);

#endif
