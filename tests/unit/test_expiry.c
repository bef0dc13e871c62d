/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A million connections are due in the same instant, while new ones come: each turn of the loop
 * ends only a few, the newest are refused while the table is full and welcome as soon as it is not,
 * and at the end index, stack and gauges agree with what is open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#include "tests/unit/lib/bed.h"

#define CAPACITY   1000000u
#define BUCKETS    (1u << 19)
#define A_TURN     32     /* connections that may end in one */
#define TURN_NS    10000  /* of the bed's clock */
#define LONG_NS    500000 /* of CPU time: a turn of the sweep takes some 5000 */
#define NEW_EVERY  16     /* turns */
#define SERVER_ID  3
#define BACKEND_ID 5

/* Connection n of a client; what its local side is does not matter here. */
static int open_one(struct bed *b, uint32_t n)
{
	const struct conn_table *t = &b->worker.conns;
	struct conn_new c = {
		.key = {{.proto = IPPROTO_UDP, .saddr = n, .daddr = 1, .sport = 7, .dport = 80},
			{.proto = IPPROTO_UDP, .saddr = 2, .daddr = n, .sport = 80, .dport = 9}},
		.virtual_server = SL_REF(SERVER_ID, 1),
		.backend = SL_REF(BACKEND_ID, 1),
		.state = SL_CONN_UDP,
	};
	uint32_t at;

	for (int dir = 0; dir < 2; dir++)
		c.hash[dir] = conn_tuple_hash(t, &c.key[dir]);
	return conn_open(&b->worker, &b->worker.conns, &c, &at);
}

static bool is_open(struct bed *b, uint32_t n)
{
	const struct conn_table *t = &b->worker.conns;
	struct sl_tuple k = {.proto = IPPROTO_UDP, .saddr = n, .daddr = 1, .sport = 7, .dport = 80};
	uint64_t key[2];
	uint8_t dir;

	memcpy(key, &k, sizeof(key));
	return conn_find(t, key, conn_hash(t, key[0], key[1]), &dir) && dir == SL_DIR_IN;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What a turn of the loop does about aging. Connections ended. */
static uint64_t turn(struct bed *b)
{
	struct worker *w = &b->worker;
	uint64_t before = w->stats->connections_closed;

	w->clock.ns += TURN_NS;
	if (w->clock.ns % 1000000 == 0 || conn_sweep_behind(w))
		conn_sweep(w);
	return w->stats->connections_closed - before;
}

/* What is derived says what the entries say. */
static void check_derived(struct bed *b, uint32_t open)
{
	const struct sl_conn_table *t = &b->slot.conns;
	uint8_t *seen = calloc(CAPACITY, 1);
	uint32_t refs = 0;

	for (uint32_t i = 0; i < t->n_free; i++) {
		assert_int_equal(seen[t->free[i]]++, 0);
		assert_int_equal(t->check[t->free[i]], 0);
	}
	for (uint32_t i = 0; i <= t->bucket_mask; i++)
		for (int k = 0; k < SL_CONN_BUCKET_SLOTS; k++)
			if (t->bucket[i].ref[k]) {
				assert_int_equal(seen[(t->bucket[i].ref[k] - 1) / 2], 0);
				refs++;
			}
	assert_int_equal(refs, 2 * open);
	assert_int_equal(conn_count(&b->worker.conns), open);
	assert_int_equal(b->slot.backend_stats[BACKEND_ID].active, open);
	assert_int_equal(b->slot.virtual_server_stats[SERVER_ID].active, open);
	free(seen);
}

static void a_million_at_once(void **state)
{
	struct bed *b = bed_new(1, CAPACITY, BUCKETS);
	uint32_t turns = 0, newest = CAPACITY, long_turns = 0;
	uint64_t closed = 0, longest = 0, all = 0;

	(void)state;
	for (uint32_t n = 0; n < CAPACITY; n++)
		assert_int_equal(open_one(b, n), 0);
	assert_int_equal(open_one(b, newest), -ENOSPC);
	assert_false(is_open(b, newest));
	check_derived(b, CAPACITY);
	b->worker.clock.tick += b->worker.timeout[SL_CONN_UDP];
	b->worker.clock.ns += UINT64_C(60000000000);
	while (closed < CAPACITY) {
		bool full = conn_count(&b->worker.conns) == CAPACITY;
		uint64_t begun = cpu_ns(), took, ended = turn(b);

		took = cpu_ns() - begun;
		all += took;
		longest = RTE_MAX(longest, took);
		long_turns += took > LONG_NS;
		assert_true(ended <= A_TURN);
		closed += ended;
		if (turns++ % NEW_EVERY)
			continue;
		full = full && !ended;
		assert_int_equal(open_one(b, newest), full ? -ENOSPC : 0);
		newest += !full;
		assert_true(turns < 4 * CAPACITY / A_TURN);
	}
	printf("# %u turns, %.0f ms of CPU time in all, the longest %.1f us; %u over %u us\n",
	       turns, (double)all / 1e6, (double)longest / 1e3, long_turns, LONG_NS / 1000);
	/* a few turns that the machine made long are no fault of the sweep */
	assert_true(long_turns < turns / 1000);
	assert_true(newest > CAPACITY + 1000);
	check_derived(b, newest - CAPACITY);
	for (uint32_t n = CAPACITY - 1000; n < newest; n++)
		assert_int_equal(is_open(b, n), n >= CAPACITY);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
