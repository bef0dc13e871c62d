/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the generator share (gen.h): its state, and frames under way to the worker. */
#ifndef BENCH_GEN_STATE_H
#define BENCH_GEN_STATE_H

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "tests/bench/gen.h"

#define GEN_CLIENTS 0x0a000000u /* 10.0.0.0/8, host order */
#define GEN_FIFO    4096        /* frames under way to the worker, per port; a power of two */

/* Everybody is at one MAC. */
#define GEN_HOST_MAC ((struct rte_ether_addr){{0x02, 0, 0, 0, 0, 0x01}})

struct gen_fifo {
	uint32_t head, tail;
	struct rte_mbuf *pkt[GEN_FIFO];
};

struct gen {
	struct gen_config config;
	struct worker *w;
	enum gen_phase phase;
	bool hold;
	uint32_t opened;      /* flows asked to open */
	uint64_t established; /* ... and that answered */
	uint64_t next;        /* round robin */
	uint64_t random;
	double zipf_scale;
	uint64_t due; /* TSC of the next request */
	uint64_t answers, lives;
	struct gen_fifo fifo[2];
	uint8_t frame[1518]; /* a request of flow "none" */
	uint32_t l3_sum, l4_sum;
	uint32_t n_samples;
	uint32_t sample[GEN_SAMPLES];
};

extern struct gen gen;

static inline void gen_fifo_put(struct gen_fifo *f, struct rte_mbuf *m)
{
	if (f->tail - f->head == GEN_FIFO)
		rte_pktmbuf_free(m);
	else
		f->pkt[f->tail++ % GEN_FIFO] = m;
}

static inline uint16_t gen_fifo_take(struct gen_fifo *f, struct rte_mbuf **pkt, uint16_t n)
{
	uint16_t i = 0;

	while (i < n && f->head != f->tail)
		pkt[i++] = f->pkt[f->head++ % GEN_FIFO];
	return i;
}

/* gen_request.c: the frame of the next request, in a buffer without one. */
void gen_request_prepare(void);
void gen_request(struct rte_mbuf *m);

/* gen_neighbour.c: a frame of ARP or NDP, answered on its port. */
void gen_neighbour_got(struct rte_mbuf *m, unsigned int port);

#endif
