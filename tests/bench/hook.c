/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bench program is the shipped one, linked with this: before a worker's loop begins its
 * ports' burst functions are replaced (in this process) by the generator's. What to do
 * stands in the environment, which the primary passes on:
 *
 *   SLUICE_BENCH="load=steady|new proto=udp|tcp flows=N order=rr|uniform|zipf arms=1|2
 *                 frame=N ms=N rate=N out=FILE"
 *
 * When the time is up, or all is done, the result is written to FILE.<worker> and
 * the generator falls silent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "secondary/loop.h"
#include "secondary/worker.h"
#include "tests/bench/gen.h"
#include "tests/bench/slices.h"

void __real_loop_run(struct worker *w, const volatile sig_atomic_t *stop);
void __wrap_loop_run(struct worker *w, const volatile sig_atomic_t *stop);

static struct {
	struct gen_config gen;
	uint64_t ms;
	uint64_t rate; /* requests a second; 0: closed loop */
	char out[256];
	struct worker *w;
	enum gen_phase phase;
	uint64_t run_tsc; /* RUNNING since */
	uint64_t answers;
	bool silent;
} h;

/* The value of NAME in "... NAME=VALUE ...". */
static bool word(const char *text, const char *name, char *value, size_t len)
{
	size_t n = strlen(name);

	for (; text && *text; text += strcspn(text, " "), text += strspn(text, " "))
		if (!strncmp(text, name, n) && text[n] == '=') {
			snprintf(value, len, "%.*s", (int)strcspn(text + n + 1, " "), text + n + 1);
			return true;
		}
	return false;
}

static uint64_t number(const char *text, const char *name, uint64_t otherwise)
{
	char value[32];

	return word(text, name, value, sizeof(value)) ? strtoull(value, NULL, 10) : otherwise;
}

static bool is(const char *text, const char *name, const char *wanted)
{
	char value[32];

	return word(text, name, value, sizeof(value)) && !strcmp(value, wanted);
}

static void read_environment(void)
{
	const char *text = getenv("SLUICE_BENCH");

	h.gen.load = is(text, "load", "new") ? GEN_NEW : GEN_STEADY;
	h.gen.tcp = is(text, "proto", "tcp");
	h.gen.flows = (uint32_t)number(text, "flows", 1000);
	h.gen.order = is(text, "order", "rr")     ? GEN_ROUND_ROBIN
		      : is(text, "order", "zipf") ? GEN_ZIPF
						  : GEN_UNIFORM;
	h.gen.arms = (unsigned int)number(text, "arms", 2);
	h.gen.frame = (uint32_t)number(text, "frame", 60);
	h.ms = number(text, "ms", 1000);
	h.rate = number(text, "rate", 0);
	if (h.rate)
		h.gen.gap_tsc = rte_get_tsc_hz() / h.rate;
	if (!word(text, "out", h.out, sizeof(h.out)))
		exit(2);
}

static void write_latency(FILE *f)
{
	const uint32_t *sample;
	uint32_t n = gen_latencies(&sample);
	double us = 1e6 / (double)rte_get_tsc_hz();

	if (n)
		fprintf(f, ",\"latency_us\":{\"p50\":%.2f,\"p99\":%.2f,\"samples\":%u}",
			sample[n / 2] * us, sample[(uint64_t)n * 99 / 100] * us, n);
}

static void write_result(void)
{
	double seconds = (double)(rte_rdtsc() - h.run_tsc) / (double)rte_get_tsc_hz();
	struct slices_result r;
	char name[300], final[300];
	FILE *f;

	slices_result(&r);
	snprintf(name, sizeof(name), "%s.%u.tmp", h.out, h.w->id);
	f = fopen(name, "w");
	if (!f)
		exit(1);
	fprintf(f,
		"{\"worker\":%u,\"io_ns\":%.2f,\"swap_ns\":%.2f,\"ns\":%.2f,\"ns_min\":%.2f,"
		"\"ns_max\":%.2f,\"slices\":%u,\"slices_all\":%u,\"seconds\":%.4f,"
		"\"answers\":%" PRIu64 ",\"lives\":%" PRIu64 ",\"connections\":%u",
		h.w->id, r.ns[SLICE_IO], r.ns[SLICE_SWAP], r.ns[SLICE_WORKER], r.ns_min, r.ns_max,
		r.kept, r.all, seconds, gen_answers() - h.answers, gen_lives(),
		conn_count(&h.w->conns));
	write_latency(f);
	fprintf(f, "}\n");
	fclose(f);
	snprintf(final, sizeof(final), "%s.%u", h.out, h.w->id);
	if (rename(name, final)) /* whole, or not there */
		exit(1);
	h.silent = true;
}

static void follow_phase(void)
{
	enum gen_phase phase = gen_phase();

	if (phase != h.phase) {
		h.phase = phase;
		h.run_tsc = rte_rdtsc();
		h.answers = gen_answers();
		if (phase == GEN_RUNNING)
			slices_reset();
	}
	if (phase == GEN_DONE || (phase == GEN_RUNNING && h.gen.load == GEN_STEADY &&
				  rte_rdtsc() - h.run_tsc > h.ms * rte_get_tsc_hz() / 1000))
		write_result();
}

/* rte_eth_rx_burst and rte_eth_tx_burst arrive here; the queue's data is the port's number. */
static uint16_t bench_receive(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	unsigned int port = (unsigned int)(uintptr_t)queue - 1;
	uint16_t got;

	if (h.silent || !h.w->snapshot)
		return 0;
	if (port == 0) {
		follow_phase();
		if (h.phase == GEN_RUNNING && !h.gen.gap_tsc)
			slices_turn();
	}
	got = gen_receive(port, pkt, n);
	slices_count(got);
	return got;
}

static uint16_t bench_send(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	return gen_send((unsigned int)(uintptr_t)queue - 1, pkt, n);
}

void __wrap_loop_run(struct worker *w, const volatile sig_atomic_t *stop)
{
	static void *queue[2][RTE_MAX_QUEUES_PER_PORT];

	read_environment();
	h.w = w;
	h.phase = GEN_OPENING;
	gen_init(&h.gen, w);
	for (unsigned int p = 0; p < w->n_ports && p < 2; p++) {
		struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[w->root->port[p].port_id];

		queue[p][w->id] = (void *)(uintptr_t)(p + 1);
		ops->rx_pkt_burst = bench_receive;
		ops->tx_pkt_burst = bench_send;
		ops->rxq.data = queue[p];
		ops->txq.data = queue[p];
	}
	__real_loop_run(w, stop);
}
