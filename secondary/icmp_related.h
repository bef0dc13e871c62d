/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors about packets of connections. */
#ifndef ICMP_RELATED_H
#define ICMP_RELATED_H

#include <stdint.h>

struct burst;
struct worker;

/* An ICMP error of `len` bytes whose checksums are right: leaves a verdict. */
void icmp_related(struct worker *w, struct burst *b, unsigned int at, uint32_t len);

#endif
