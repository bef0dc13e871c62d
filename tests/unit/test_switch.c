/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker does when it switches to a snapshot of 100,000 backends, every pool with slow
 * start, every server ending connections to drained backends: nothing that grows with them, and
 * what is left to be done comes in slices. tests/bench/test_instructions counts the
 * instructions of both in this program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "secondary/command.h"
#include "secondary/ramp.h"
#include "tests/unit/lib/bed.h"

#define SERVERS  10000
#define EACH     10
#define BACKENDS (SERVERS * EACH)
#define SLICE    64  /* ramp.c */
#define COUNTED  256 /* slices: counting takes long, above all under callgrind */
#define SWITCHES 20

static struct bed *bed;
static struct worker *w;
static uint32_t switches, slices;

static void *place(struct sl_snapshot *s, struct sl_span *span, uint32_t n, size_t size)
{
	*span = (struct sl_span){s->size, n};
	s->size += (n * size + 63) / 64 * 64;
	return (char *)s + span->offset;
}

static struct sl_snapshot *make_snapshot(void)
{
	struct sl_snapshot *s = aligned_alloc(64, 8u << 20);
	struct sl_virtual_server *v;
	struct sl_backend *b;

	memset(s, 0, 8u << 20);
	s->magic = SL_SNAPSHOT_MAGIC;
	s->size = (sizeof(*s) + 63) / 64 * 64;
	memcpy(s->timeout, bed->snapshot.timeout, sizeof(s->timeout));
	v = place(s, &s->virtual_servers, SERVERS, sizeof(*v));
	b = place(s, &s->backends, BACKENDS, sizeof(*b));
	place(s, &s->quiescent_servers, SERVERS, sizeof(uint32_t));
	place(s, &s->taking_backends, BACKENDS, sizeof(uint32_t));
	for (uint32_t i = 0; i < BACKENDS; i++)
		b[i] = (struct sl_backend){.ref = SL_REF(i, 1), .weight = 1};
	for (uint32_t i = 0; i < SERVERS; i++) {
		v[i].ref = SL_REF(i, 1);
		v[i].slow_start = 100;
		v[i].backends = (struct sl_span){
			s->backends.offset + i * EACH * (uint32_t)sizeof(*b), EACH};
	}
	return s;
}

static int set_up(void **state)
{
	(void)state;
	bed = bed_new(1, 1024, 256);
	bed_serve(bed, 1);
	w = &bed->worker;
	free(bed->slot.ramp);
	bed->slot.ramp = calloc(BACKENDS, sizeof(*bed->slot.ramp));
	bed->slot.worker.checkpoint_read = 1;
	for (int i = 0; i < 2; i++)
		bed->root.arena.half[i] = make_snapshot();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		free(bed->root.arena.half[i]);
	bed_free(bed);
	return 0;
}

static uint32_t noted(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < BACKENDS; i++)
		n += bed->slot.ramp[i].ref == SL_REF(i, 1);
	return n;
}

static void slice(void)
{
	slices++;
	ramp_slice(w);
}

/* Microseconds of CPU time. */
static double publish(uint64_t generation)
{
	struct timespec from, to;

	switches++;
	bed->root.arena.current = generation << 1 | (generation & 1);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	command_switch_snapshot(w);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	assert_int_equal(bed->slot.worker.snapshot_in_use, generation);
	return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

static void nothing_grows_with_the_backends(void **state)
{
	uint32_t n = 0, before = 0;

	(void)state;
	publish(1);
	assert_int_equal(noted(), 0);
	for (; w->ramp_walk.pending; n++) {
		slice();
		if (n % COUNTED)
			continue;
		assert_in_range(noted() - before, 0, COUNTED * SLICE);
		before = noted();
	}
	assert_int_equal(noted(), BACKENDS);
	/* Each backend is searched and noted, at most, and each server passed. */
	assert_in_range(n, BACKENDS / SLICE, (2 * BACKENDS + 2 * SERVERS) / SLICE + 1);
}

/* The shortest: in the others somebody had the CPU, or its caches. */
static void takes_microseconds(void **state)
{
	double shortest = 1e9;

	(void)state;
	for (uint64_t generation = 1; generation <= SWITCHES; generation++) {
		double us = publish(generation);

		shortest = us < shortest ? us : shortest;
	}
	print_message("# a switch: %.2f us\n", shortest);
	assert_true(shortest < 50);
}

/* Snapshots that come faster than the walk: the last one's is whole. */
static void another_in_the_middle(void **state)
{
	struct sl_snapshot *last = bed->root.arena.half[0];
	struct sl_backend *b = (struct sl_backend *)((char *)last + last->backends.offset);

	(void)state;
	for (publish(1); w->ramp_walk.server < SERVERS / 2;)
		slice();
	w->clock.tick += 1000;
	b[BACKENDS - 1].weight = 0;
	for (publish(2); w->ramp_walk.pending;)
		slice();
	assert_int_equal(noted(), BACKENDS - 1);
	assert_int_equal(bed->slot.ramp[0].since + 1000 + 100, w->clock.tick);
	/* What the walk has not met, begins: before it is noted, and after. */
	b = (struct sl_backend *)((char *)bed->root.arena.half[1] +
				  bed->root.arena.half[1]->backends.offset);
	publish(3);
	assert_int_equal(ramp_share(w,
				    (const void *)((char *)w->snapshot +
						   w->snapshot->virtual_servers.offset),
				    &b[BACKENDS - 1]),
			 1);
	while (w->ramp_walk.pending)
		slice();
	assert_int_equal(bed->slot.ramp[BACKENDS - 1].since, w->clock.tick);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(nothing_grows_with_the_backends),
		T(takes_microseconds),
		T(another_in_the_middle),
	};

	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	print_message("# calls of command_switch_snapshot: %u\n# calls of ramp_slice: %u\n",
		      switches, slices);
	return rc;
}
