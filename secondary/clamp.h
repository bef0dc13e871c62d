/* SPDX-License-Identifier: BSD-3-Clause */
/* The greatest segment size that a SYN may offer (VirtualServer.max_mss). */
#ifndef CLAMP_H
#define CLAMP_H

#include <stdint.h>

struct rte_tcp_hdr;

/* Lower the MSS option of a SYN to `max`, if it says more; the checksum with it. */
void clamp_mss(struct rte_tcp_hdr *tcp, uint16_t max);

#endif
