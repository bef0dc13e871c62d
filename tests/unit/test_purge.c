/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections ended on request: those that fit and no others, of both families, some in each turn,
 * none after the time that the command names; by whoever is told last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <rte_ring_elem.h>

#include "secondary/command.h"
#include "tests/unit/lib/flows.h"

#define CAPACITY 4096u
#define BUCKETS  1024
#define OPEN     1000u /* of each family */
#define A_TURN   32    /* connections that may end in one */
#define TURNS    20000
#define LONG_AGO 1
#define FOREVER  UINT64_MAX

static struct bed *bed;
static struct flows flows[2]; /* by family */

static int set_up(void **state)
{
	uint32_t at;

	(void)state;
	bed = bed_new(1, CAPACITY, BUCKETS);
	bed_serve(bed, 1);
	for (int v6 = 0; v6 < 2; v6++) {
		flows[v6] = flows_of(v6, (unsigned int)v6);
		for (uint32_t n = 0; n < OPEN; n++)
			assert_int_equal(flows_open(bed, &flows[v6], n, &at), 0);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bed_free(bed);
	return 0;
}

static const struct sl_conn_filter any = {
	.virtual_server = SL_REF_NONE,
	.backend = SL_REF_NONE,
};

static void tell(uint64_t id, const struct sl_conn_filter *filter, uint64_t until_ns)
{
	struct sl_command c = {
		.id = id,
		.type = SL_COMMAND_END_CONNECTIONS,
		.end = {.until_ns = until_ns, .filter = *filter},
	};

	assert_int_equal(rte_ring_sp_enqueue_elem(bed->slot.command, &c, sizeof(c)), 0);
	command_drain(&bed->worker);
}

static uint32_t open_now(void)
{
	return conn_count(&bed->worker.conns) + conn_count(&bed->worker.conns6);
}

static void turn(void)
{
	uint32_t before = open_now();

	purge_slice(&bed->worker);
	assert_true(before - open_now() <= A_TURN);
}

/* Turns until it is done; the answer. */
static struct sl_answer finish(void)
{
	struct sl_answer a;

	for (int n = 0; bed->worker.purge.pending; n++) {
		assert_true(n < TURNS);
		turn();
	}
	assert_int_equal(rte_ring_sc_dequeue_elem(bed->slot.answer, &a, sizeof(a)), 0);
	assert_true(rte_ring_empty(bed->slot.answer));
	return a;
}

static void ends(const struct sl_conn_filter *filter, uint32_t wanted)
{
	uint32_t before = open_now();
	struct sl_answer a;

	tell(7, filter, FOREVER);
	a = finish();
	assert_int_equal(a.id, 7);
	assert_int_equal(a.status, 0);
	assert_int_equal(a.value, wanted);
	assert_int_equal(before - open_now(), wanted);
}

static bool is_open(int v6, uint32_t n)
{
	uint8_t dir;

	return flows_find(bed, &flows[v6], n, &dir) != FLOWS_NONE;
}

static void those_that_fit(void **state)
{
	struct sl_conn_filter f = any;
	uint32_t at;
	uint8_t dir;

	(void)state;
	at = flows_find(bed, &flows[0], 17, &dir);
	f.client = sl_addr_of_v4(bed->slot.conns.entry[at].key[SL_DIR_IN].saddr);
	ends(&f, 1);
	assert_false(is_open(0, 17));
	at = flows_find(bed, &flows[1], 17, &dir);
	f.client = bed->slot.conns6.entry6[at].key[SL_DIR_IN].saddr;
	ends(&f, 1);
	assert_false(is_open(1, 17));

	for (uint32_t n = 20; n < 30; n++) {
		at = flows_find(bed, &flows[n & 1], n, &dir);
		sl_conn_core(flows_shared(bed, &flows[n & 1]), at)->state = SL_CONN_CLOSE;
	}
	f = any;
	f.state = SL_CONN_CLOSE;
	ends(&f, 10);
	for (uint32_t n = 18; n < 32; n++)
		assert_int_equal(is_open(n & 1, n), n < 20 || n >= 30);
	ends(&f, 0);

	f = any;
	f.protocol = IPPROTO_TCP;
	ends(&f, 0);
	f.protocol = IPPROTO_UDP;
	f.backend = FLOWS_BACKEND + 1; /* another generation */
	ends(&f, 0);
	f.backend = FLOWS_BACKEND;
	f.virtual_server = FLOWS_SERVER + 1;
	ends(&f, 0);
	f.virtual_server = FLOWS_SERVER;
	ends(&f, 2 * OPEN - 12);
}

/* All is as if they had never been: entries, index, ports, gauges. */
static void everything(void **state)
{
	uint32_t at;

	(void)state;
	ends(&any, 2 * OPEN);
	assert_int_equal(bed->slot.backend_stats[SL_REF_ID(FLOWS_BACKEND)].active, 0);
	for (int v6 = 0; v6 < 2; v6++)
		for (uint32_t n = 0; n < OPEN; n++)
			assert_int_equal(flows_open(bed, &flows[v6], n, &at), 0);
}

static void not_after_its_time(void **state)
{
	(void)state;
	tell(1, &any, LONG_AGO);
	assert_int_equal(finish().status, -ETIME);
	assert_int_equal(open_now(), 2 * OPEN);

	tell(2, &any, bed->worker.clock.ns + 1);
	turn();
	assert_int_equal(open_now(), 2 * OPEN - A_TURN);
	bed->worker.clock.ns++;
	struct sl_answer a = finish();
	assert_int_equal(a.status, -ETIME);
	assert_int_equal(a.value, A_TURN);
	assert_int_equal(open_now(), 2 * OPEN - A_TURN);
}

/* Asked twice it is done once; another one takes its place. */
static void told_again(void **state)
{
	struct sl_conn_filter none = any;
	struct sl_answer a;

	(void)state;
	tell(1, &any, FOREVER);
	turn();
	tell(1, &any, FOREVER);
	turn();
	none.protocol = IPPROTO_TCP;
	tell(2, &none, FOREVER);
	a = finish();
	assert_int_equal(a.id, 2);
	assert_int_equal(a.value, 0);
	assert_int_equal(open_now(), 2 * OPEN - 2 * A_TURN);
}

/* What a dead worker had ended is ended, and its replacement does what it is asked again. */
static void a_death_in_between(void **state)
{
	(void)state;
	tell(1, &any, FOREVER);
	turn();
	bed_die_and_rebuild(bed);
	assert_false(bed->worker.purge.pending);
	assert_int_equal(open_now(), 2 * OPEN - A_TURN);
	ends(&any, 2 * OPEN - A_TURN);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(those_that_fit), T(everything),         T(not_after_its_time),
		T(told_again),     T(a_death_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
