/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transmit buffers: packets gather per port and leave when a buffer is full and at
 * the end of each turn. What the port's queue does not take is freed and counted.
 */
#ifndef TX_H
#define TX_H

#include <stdint.h>

#include <sluice/limits.h>

struct rte_mbuf;
struct worker;

struct tx {
	uint64_t n;     /* packets that wait ... */
	uint64_t bytes; /* ... and their bytes */
	struct rte_mbuf *pkt[SL_BURST];
};

void tx_flush_port(struct worker *w, unsigned int port);
void tx_flush(struct worker *w);

#endif
