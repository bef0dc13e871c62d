/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bench program is the shipped one, linked with this: before a worker's loop begins its
 * ports' burst functions are replaced (in this process) by the generator's. What to do
 * stands in the environment, which the primary passes on:
 *
 *   SLUICE_BENCH="load=steady|new proto=udp|tcp flows=N order=rr|uniform|zipf arms=1|2
 *                 frame=N ms=N rate=N owners=N clients=4|6
 *                 oneway=1 pauses=1 out=FILE"
 *
 * When the time is up (ms=0: never, and no slices are measured), all is done, or the worker is told
 * to end, the result is written to FILE.<worker>. The generator falls silent then; not beside other
 * workers, which may not have measured to the end and share the processor with this one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "secondary/loop.h"
#include "secondary/worker.h"
#include "tests/bench/gen.h"
#include "tests/bench/pauses.h"
#include "tests/bench/slices.h"

#define LATENCY_WINDOWS 10

void __real_loop_run(struct worker *w, const volatile sig_atomic_t *stop);
void __wrap_loop_run(struct worker *w, const volatile sig_atomic_t *stop);

static struct {
	struct gen_config gen;
	uint64_t ms;
	uint64_t rate; /* requests a second; 0: closed loop */
	bool pauses;   /* measure turns, not packets */
	char out[256];
	struct worker *w;
	enum gen_phase phase;
	uint64_t run_tsc; /* RUNNING since */
	double run_cpu;   /* seconds of the thread's CPU time then */
	uint64_t answers;
	uint64_t drops;
	bool written;
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
	h.gen.oneway = is(text, "oneway", "1");
	h.gen.ipv6 = is(text, "clients", "6");
	h.gen.flows = (uint32_t)number(text, "flows", 1000);
	h.gen.order = is(text, "order", "rr")     ? GEN_ROUND_ROBIN
		      : is(text, "order", "zipf") ? GEN_ZIPF
						  : GEN_UNIFORM;
	h.gen.arms = (unsigned int)number(text, "arms", 2);
	h.gen.frame = (uint32_t)number(text, "frame", h.gen.ipv6 ? 80 : 60);
	h.gen.owners = (uint32_t)number(text, "owners", h.w->n_workers);
	h.ms = number(text, "ms", 1000);
	h.rate = number(text, "rate", 0);
	h.pauses = is(text, "pauses", "1");
	if (h.rate) {
		h.gen.gap_tsc = rte_get_tsc_hz() / h.rate;
		h.gen.sample_every = (uint32_t)(h.rate * h.ms / 1000 / GEN_SAMPLES) + 1;
	}
	if (!word(text, "out", h.out, sizeof(h.out)))
		exit(2);
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t median(uint32_t *of, uint32_t n)
{
	qsort(of, n, sizeof(*of), ascending);
	return of[n / 2];
}

/*
 * Medians over windows of samples: a window in which the machine took the CPU away, and the queue
 * after it, say nothing about the worker.
 */
static void write_latency(FILE *f)
{
	uint32_t *sample, p50[LATENCY_WINDOWS], p99[LATENCY_WINDOWS];
	uint32_t n = gen_latencies(&sample) / LATENCY_WINDOWS;
	double us = 1e6 / (double)rte_get_tsc_hz();

	if (!n)
		return;
	for (int i = 0; i < LATENCY_WINDOWS; i++, sample += n) {
		p50[i] = median(sample, n);
		p99[i] = sample[(uint64_t)n * 99 / 100];
	}
	fprintf(f, ",\"latency_us\":{\"p50\":%.2f,\"p99\":%.2f,\"samples\":%u}",
		median(p50, LATENCY_WINDOWS) * us, median(p99, LATENCY_WINDOWS) * us,
		n * LATENCY_WINDOWS);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t drops(void)
{
	uint64_t sum = 0;

	for (int why = 0; why < SL_DROP_MAX; why++)
		sum += h.w->stats->drops[why];
	return sum;
}

/* All that is sized by the number of connections, over that number. */
static double bytes_per_connection(void)
{
	const struct sl_worker_slot *slot = h.w->slot;
	const struct sl_conn_table *t = h.gen.ipv6 ? &slot->conns6 : &slot->conns;
	double entry = t->entry_size + sizeof(*t->check) + sizeof(*t->free);
	double index = (t->bucket_mask + 1.0) * sizeof(*t->bucket);
	double ports = slot->port_pools * (sizeof(*slot->port_pool) +
					   (double)slot->ports_per_pool * sizeof(*slot->port_ring));

	return entry + (index + ports) / t->capacity;
}

static void write_pauses(FILE *f)
{
	struct pauses_result p;

	if (!h.pauses)
		return;
	pauses_result(&p);
	fprintf(f, ",\"pause_us\":{\"switch\":%.1f,\"other\":%.1f,\"switches\":%u}", p.switch_us,
		p.other_us, p.switches);
}

static void write_figures(FILE *f)
{
	double seconds = (double)(rte_rdtsc() - h.run_tsc) / (double)rte_get_tsc_hz();
	struct slices_result r;

	slices_result(&r);
	fprintf(f,
		"{\"worker\":%u,\"io_ns\":%.2f,\"swap_ns\":%.2f,\"ns\":%.2f,\"ns_min\":%.2f,"
		"\"ns_max\":%.2f,\"cpu_ns\":%.2f,\"slices\":%u,\"slices_all\":%u,\"seconds\":%.4f",
		h.w->id, r.ns[SLICE_IO], r.ns[SLICE_SWAP], r.ns[SLICE_WORKER], r.ns_min, r.ns_max,
		r.cpu_ns, r.kept, r.all, seconds);
	fprintf(f,
		",\"cpu_share\":%.4f,\"answers\":%" PRIu64 ",\"lives\":%" PRIu64
		",\"drops\":%" PRIu64 ",\"connections\":%u,\"bytes_per_connection\":%.1f",
		(cpu_seconds() - h.run_cpu) / seconds, gen_answers() - h.answers, gen_lives(),
		drops() - h.drops, conn_count(h.gen.ipv6 ? &h.w->conns6 : &h.w->conns),
		bytes_per_connection());
}

static void write_result(void)
{
	char name[300], final[300];
	FILE *f;

	h.written = true;
	snprintf(name, sizeof(name), "%s.%u.tmp", h.out, h.w->id);
	f = fopen(name, "w");
	if (!f)
		exit(1);
	write_figures(f);
	write_latency(f);
	write_pauses(f);
	fprintf(f, "}\n");
	fclose(f);
	snprintf(final, sizeof(final), "%s.%u", h.out, h.w->id);
	if (rename(name, final)) /* whole, or not there */
		exit(1);
}

static bool time_is_up(void)
{
	return h.ms && h.phase == GEN_RUNNING && h.gen.load == GEN_STEADY &&
	       rte_rdtsc() - h.run_tsc > h.ms * rte_get_tsc_hz() / 1000;
}

static void follow_phase(void)
{
	enum gen_phase phase = gen_phase();

	if (phase != h.phase) {
		h.phase = phase;
		if (phase == GEN_RUNNING) {
			h.run_tsc = rte_rdtsc();
			h.run_cpu = cpu_seconds();
			h.answers = gen_answers();
			h.drops = drops();
			slices_reset();
			pauses_reset(h.w);
		}
	}
	if (!h.written && (phase == GEN_DONE || time_is_up()))
		write_result();
}

/* rte_eth_rx_burst and rte_eth_tx_burst arrive here; the queue's data is the port's number. */
static uint16_t bench_receive(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	unsigned int port = (unsigned int)(uintptr_t)queue - 1;
	uint16_t got;

	if (!h.w->snapshot)
		return 0;
	if (port == 0 && h.pauses)
		pauses_turn_ends(h.w);
	if (port == 0) {
		follow_phase();
		if (h.phase == GEN_RUNNING && h.ms && !h.gen.gap_tsc && !h.written)
			slices_turn();
	}
	if (h.written && h.w->n_workers == 1)
		return 0;
	got = gen_receive(port, pkt, n);
	slices_count(got);
	if (port == 0 && h.pauses)
		pauses_turn_begins();
	return got;
}

static uint16_t bench_send(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	return gen_send((unsigned int)(uintptr_t)queue - 1, pkt, n);
}

void __wrap_loop_run(struct worker *w, const volatile sig_atomic_t *stop)
{
	static void *queue[2][RTE_MAX_QUEUES_PER_PORT];

	h.w = w;
	read_environment();
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
	if (!h.written && h.phase == GEN_RUNNING)
		write_result();
}
