/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/slices.h"

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <sluice/limits.h>

#include "tests/bench/gen.h"
#include "tests/bench/gen_frame.h"

#define SLICE_PACKETS 8192 /* about 0.3 ms */
#define MAX_SLICES    20000
#define SLOWER        1.10 /* a reference slice over this times the good ones' is slow */

struct moment {
	uint64_t tsc;    /* 0: none */
	uint64_t cpu_ns; /* of the thread */
};

static struct {
	uint32_t n;
	float ns[MAX_SLICES];     /* per packet */
	float cpu_ns[MAX_SLICES]; /* likewise, CPU time */
	uint8_t kind[MAX_SLICES];
	struct moment begun;
	uint32_t packets; /* the worker's, in this slice */
	enum slice next_reference;
} s;

static double tsc_to_ns(uint64_t tsc)
{
	return (double)tsc * 1e9 / (double)rte_get_tsc_hz();
}

static struct moment now(void)
{
	struct timespec cpu;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	return (struct moment){.tsc = rte_rdtsc(),
			       .cpu_ns = (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec};
}

static void record(enum slice kind, struct moment begun, uint32_t packets)
{
	struct moment end = now();

	if (s.n == MAX_SLICES || !packets)
		return;
	s.kind[s.n] = (uint8_t)kind;
	s.ns[s.n] = (float)(tsc_to_ns(end.tsc - begun.tsc) / packets);
	s.cpu_ns[s.n++] = (float)(end.cpu_ns - begun.cpu_ns) / (float)packets;
}

/* ---- the reference ------------------------------------------------------------------- */

static void swap(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = frame_eth(m);
	struct rte_ether_addr mac = eth->src_addr;

	eth->src_addr = eth->dst_addr;
	eth->dst_addr = mac;
	gen_swap_ends(m);
}

static uint32_t reference_turn(enum slice kind, unsigned int from, unsigned int to)
{
	struct rte_mbuf *pkt[SL_BURST];
	uint16_t n = gen_receive(from, pkt, SL_BURST);

	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkt[i], void *));
	if (kind == SLICE_SWAP)
		for (uint16_t i = 0; i < n; i++)
			swap(pkt[i]);
	gen_send(to, pkt, n);
	return n;
}

static void reference(enum slice kind)
{
	struct moment begun = now();
	uint32_t packets = 0;

	for (int turns = 0; turns < SLICE_PACKETS; turns++) {
		if (packets >= SLICE_PACKETS && gen_empty())
			break;
		packets += reference_turn(kind, 0, 1);
		packets += reference_turn(kind, 1, 0);
		gen_hold(packets >= SLICE_PACKETS);
	}
	record(kind, begun, packets);
}

/* ---- slices ---------------------------------------------------------------------------- */

void slices_turn(void)
{
	if (s.begun.tsc && s.packets < SLICE_PACKETS)
		return;
	gen_hold(true); /* what is under way belongs to whom it was sent */
	if (!gen_empty())
		return;
	gen_hold(false);
	if (s.begun.tsc)
		record(SLICE_WORKER, s.begun, s.packets);
	reference(s.next_reference);
	gen_hold(false);
	s.next_reference = s.next_reference == SLICE_IO ? SLICE_SWAP : SLICE_IO;
	s.packets = 0;
	s.begun = now();
}

void slices_count(uint32_t packets)
{
	s.packets += packets;
}

void slices_reset(void)
{
	s.n = 0;
	s.begun.tsc = 0;
	s.packets = 0;
}

/* ---- result ------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

/* Figures of a kind's slices, sorted, into out. `good`: NULL or which ones count. */
static uint32_t collect(const float *figure, enum slice kind, const bool *good, float *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s.n; i++)
		if (s.kind[i] == kind && (!good || good[i]))
			out[n++] = figure[i];
	qsort(out, n, sizeof(*out), ascending);
	return n;
}

static double quantile(const float *sorted, uint32_t n, double q)
{
	return n ? (double)sorted[(uint32_t)(q * (n - 1))] : 0;
}

/* A reference slice is fast when it is near the good ones of its kind, a worker's when its
 * neighbours are and the kernel left it the CPU. */
static void judge(bool *good, float *work)
{
	double limit[SLICE_KINDS];

	for (int kind = SLICE_IO; kind <= SLICE_SWAP; kind++)
		limit[kind] = SLOWER * quantile(work, collect(s.ns, kind, NULL, work), 0.1);
	for (uint32_t i = 0; i < s.n; i++)
		good[i] = s.kind[i] != SLICE_WORKER && s.ns[i] <= limit[s.kind[i]];
	for (uint32_t i = 1; i + 1 < s.n; i++)
		if (s.kind[i] == SLICE_WORKER)
			good[i] = good[i - 1] && good[i + 1] && s.ns[i] <= SLOWER * s.cpu_ns[i];
}

void slices_result(struct slices_result *r)
{
	bool *good = calloc(MAX_SLICES, sizeof(*good));
	float *work = calloc(MAX_SLICES, sizeof(*work));
	uint32_t n;

	*r = (struct slices_result){0};
	if (!good || !work)
		abort();
	judge(good, work);
	for (int kind = SLICE_IO; kind < SLICE_KINDS; kind++) {
		n = collect(s.ns, kind, good, work);
		r->ns[kind] = quantile(work, n, 0.5);
	}
	r->kept = n;
	r->ns_min = quantile(work, n, 0);
	r->ns_max = quantile(work, n, 1);
	n = collect(s.cpu_ns, SLICE_WORKER, good, work);
	r->cpu_ns = quantile(work, n, 0.5);
	r->all = collect(s.ns, SLICE_WORKER, NULL, work);
	free(good);
	free(work);
}
