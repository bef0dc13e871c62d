/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet costs, by short slices. The CPUs of a shared machine are fast or slow by turns,
 * so the worker's slices stand between slices of a reference over the same bed, in the
 * same thread, and count only when both neighbours were fast:
 *
 *   io | worker | 5tswap | worker | io | worker | ...
 *
 * io moves packets from receive to send; 5tswap also swaps MACs, addresses and ports,
 * as testpmd's forwarding mode of that name does.
 */
#ifndef BENCH_SLICES_H
#define BENCH_SLICES_H

#include <stdint.h>

enum slice { SLICE_IO, SLICE_SWAP, SLICE_WORKER, SLICE_KINDS };

/* To be called at each receive of port 0: runs a reference slice when one is due. */
void slices_turn(void);

/* Packets that the worker received. */
void slices_count(uint32_t packets);

/* Begin anew: what was measured so far is forgotten. */
void slices_reset(void);

struct slices_result {
	double ns[SLICE_KINDS]; /* median per packet, both directions */
	double ns_min, ns_max;  /* of the worker's slices that count */
	double cpu_ns;      /* median of these, by the kernel's clock of the thread's CPU time */
	uint32_t kept, all; /* the worker's slices that count, and all */
};

/* Over what was measured since the reset. */
void slices_result(struct slices_result *r);

#endif
