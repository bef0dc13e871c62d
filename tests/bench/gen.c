/* SPDX-License-Identifier: BSD-3-Clause */
/* The generator's life, and what the worker receives. */
#include "tests/bench/gen.h"

#include <math.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "secondary/worker.h"
#include "tests/bench/gen_state.h"

#define KNOWN 256u /* connections after which every backend is a known neighbour */

struct gen gen;

enum gen_phase gen_phase(void)
{
	return gen.phase;
}

uint64_t gen_answers(void)
{
	return gen.answers;
}

uint64_t gen_lives(void)
{
	return gen.lives;
}

void gen_hold(bool hold)
{
	gen.hold = hold;
}

bool gen_empty(void)
{
	return gen.fifo[0].head == gen.fifo[0].tail && gen.fifo[1].head == gen.fifo[1].tail;
}

/* ---- receive ----------------------------------------------------------------------------- */

static uint16_t requests_due(uint16_t n)
{
	uint64_t now;

	if (!gen.config.gap_tsc || gen.phase != GEN_RUNNING)
		return n;
	now = rte_rdtsc();
	if (now < gen.due)
		return 0;
	return (uint16_t)RTE_MIN((now - gen.due) / gen.config.gap_tsc + 1, (uint64_t)n);
}

/*
 * Opening pauses when the answers are behind, so that nothing is lost on the way; at first
 * after a few, since the appliance does not know the backends' MACs yet.
 */
static uint16_t may_open(uint16_t n)
{
	uint32_t ahead = gen.established < KNOWN ? 4 : GEN_FIFO / 2;
	uint64_t pending = gen.opened - gen.established;

	if (pending >= ahead)
		return 0;
	n = (uint16_t)RTE_MIN((uint64_t)n, ahead - pending);
	if (gen.phase == GEN_OPENING && gen.config.load == GEN_NEW)
		n = (uint16_t)RTE_MIN((uint32_t)n, KNOWN - gen.opened);
	return (uint16_t)RTE_MIN((uint32_t)n, gen.config.flows - gen.opened);
}

static uint16_t new_requests(uint16_t n)
{
	if (gen.phase == GEN_DONE || gen.hold)
		return 0;
	if (gen.phase == GEN_RUNNING && gen.config.load == GEN_STEADY)
		return requests_due(n);
	return may_open(n);
}

static void next_phase(void)
{
	uint32_t opening = gen.config.load == GEN_NEW ? KNOWN : gen.config.flows;

	if (gen.phase == GEN_OPENING && gen.established >= opening &&
	    gen.established == gen.opened) {
		gen.phase = GEN_RUNNING;
		gen.due = rte_rdtsc();
	} else if (gen.phase == GEN_RUNNING && gen.config.load == GEN_NEW &&
		   gen.established == gen.config.flows) {
		gen.phase = GEN_DONE;
	}
}

uint16_t gen_receive(unsigned int port, struct rte_mbuf **pkt, uint16_t n)
{
	uint16_t got, want;

	if (port)
		return gen_fifo_take(&gen.fifo[1], pkt, n);
	next_phase();
	got = gen_fifo_take(&gen.fifo[0], pkt, gen.config.arms == 1 ? n / 2 : n);
	want = new_requests(n - got);
	if (!want || rte_pktmbuf_alloc_bulk(gen.w->slot->mempool, pkt + got, want))
		return got;
	for (uint16_t i = 0; i < want; i++)
		gen_request(pkt[got + i]);
	return got + want;
}

/* ---- begin and end ---------------------------------------------------------------------- */

uint32_t gen_latencies(uint32_t **samples)
{
	*samples = gen.sample;
	return gen.n_samples;
}

void gen_init(const struct gen_config *config, struct worker *w)
{
	gen.config = *config;
	gen.w = w;
	gen.random = UINT64_C(88172645463325252) + w->id;
	gen.zipf_scale = log((double)config->flows + 1);
	gen.phase = GEN_OPENING;
	gen_request_prepare();
}
