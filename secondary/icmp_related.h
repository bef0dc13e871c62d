/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors about packets of connections, over IPv4 and IPv6. */
#ifndef ICMP_RELATED_H
#define ICMP_RELATED_H

#include <stdint.h>

struct burst;
struct icmp6;
struct worker;

/* An ICMP error of `len` bytes whose checksums are right: leaves a verdict. */
void icmp_related(struct worker *w, struct burst *b, unsigned int at, uint32_t len);
void icmp6_related(struct worker *w, struct burst *b, unsigned int at, struct icmp6 *icmp,
		   uint32_t len);

#endif
