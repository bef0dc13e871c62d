/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection tables against a naive model, under random operations and deaths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>

#include "secondary/conn6.h"
#include "secondary/local_port.h"
#include "tests/unit/lib/flows.h"

static struct flows flows; /* of the family under test */

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13; /* xorshift64, Marsaglia 2003 */
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static int open_one(struct bed *b, uint32_t n, uint32_t *at)
{
	return flows_open(b, &flows, n, at);
}

/* What the model knows of client n. */
struct model {
	uint32_t at; /* FLOWS_NONE: not there */
	uint16_t local_port;
};

static void check_one(struct bed *b, const struct model *m, uint32_t n)
{
	uint8_t dir = 9;
	uint32_t at = flows_find(b, &flows, n, &dir);

	assert_int_equal(at, m[n].at);
	if (at == FLOWS_NONE)
		return;
	assert_int_equal(dir, SL_DIR_IN);
	assert_int_equal(flows_port(b, &flows, at), m[n].local_port);
	assert_int_equal(flows_find_reply(b, &flows, at, &dir), at);
	assert_int_equal(dir, SL_DIR_OUT);
}

static void model_open(struct bed *b, struct model *m, uint32_t n)
{
	uint32_t at = FLOWS_NONE;
	int rc = open_one(b, n, &at);

	if (rc) {
		assert_true(rc == -ENOSPC || rc == -EXFULL);
		return;
	}
	m[n].at = at;
	m[n].local_port = flows_port(b, &flows, at);
}

static uint64_t hash_of(const struct conn_table *t, uint32_t at, unsigned int dir)
{
	return flows.ipv6 ? conn6_tuple_hash(t, &t->entry6[at].key[dir])
			  : conn_tuple_hash(t, &t->entry[at].key[dir]);
}

/* Each bucket knows how many tuples it sent away: counted again from what stands where. */
static uint32_t check_strays(struct bed *b)
{
	const struct conn_table *t = flows_table(b, &flows);
	uint32_t *strays = calloc(t->bucket_mask + 1, sizeof(*strays)), all = 0;

	for (uint32_t i = 0; i <= t->bucket_mask; i++) {
		for (uint32_t k = 0; k < SL_CONN_BUCKET_SLOTS; k++) {
			uint32_t ref = t->bucket[i].ref[k], first;

			if (!ref)
				continue;
			first = conn_bucket(t, hash_of(t, (ref - 1) / 2, (ref - 1) & 1));
			assert_int_equal(t->bucket[i].away >> k & 1, first != i);
			strays[first] += first != i;
		}
	}
	for (uint32_t i = 0; i <= t->bucket_mask; i++) {
		assert_int_equal(t->bucket[i].strays, strays[i]);
		all += strays[i];
	}
	free(strays);
	return all;
}

/* With the index as full as it is designed for. */
static void operate(struct flows f)
{
	enum { CLIENTS = 6000, BUCKETS = 1024, STEPS = 1500000 };
	enum { CAPACITY = BUCKETS * SL_CONN_BUCKET_SLOTS * 75 / 100 / 2 };
	struct bed *b = bed_new(2, CAPACITY, BUCKETS);
	struct model *m = calloc(CLIENTS, sizeof(*m));
	uint32_t open = 0;

	flows = f;
	for (uint32_t n = 0; n < CLIENTS; n++)
		m[n].at = FLOWS_NONE;
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t n = (uint32_t)(next_random() % CLIENTS);

		if (m[n].at == FLOWS_NONE) {
			model_open(b, m, n);
			open += m[n].at != FLOWS_NONE;
		} else if (next_random() % 3 == 0) {
			conn_close(&b->worker, flows_table(b, &flows),
				   conn_core(flows_table(b, &flows), m[n].at));
			m[n].at = FLOWS_NONE;
			open--;
		}
		check_one(b, m, n);
		if (step % 200000 == 199999) {
			assert_true(check_strays(b) > 100);
			bed_die_and_rebuild(b);
			check_strays(b);
			for (uint32_t i = 0; i < CLIENTS; i++)
				check_one(b, m, i);
		}
		assert_int_equal(conn_count(flows_table(b, &flows)), open);
		assert_int_equal(b->slot.backend_stats[5].active, open);
	}
	check_strays(b);
	assert_true(open > CLIENTS / 3);
	free(m);
	bed_free(b);
}

static void random_operations(void **state)
{
	(void)state;
	operate(flows_of(false, 0));
}

static void random_operations6(void **state)
{
	(void)state;
	operate(flows_of(true, 0));
	flows = flows_of(false, 0);
}

static void random_operations64(void **state)
{
	(void)state;
	operate(flows64_of(0));
	flows = flows_of(false, 0);
}

/* 2 index places a connection, 8 a bucket: the index of this table is sized for load 0.8. */
static void fills_to_design_load(void **state)
{
	enum { BUCKETS = 4096, CAPACITY = BUCKETS * 8 * 75 / 100 / 2 };
	struct bed *b = bed_new(1, CAPACITY, BUCKETS);
	uint32_t at;

	(void)state;
	for (uint32_t n = 0; n < CAPACITY; n++)
		assert_int_equal(open_one(b, n, &at), 0);
	assert_int_equal(open_one(b, CAPACITY, &at), -ENOSPC);
	bed_free(b);
}

/* An index far too small refuses by name, and what was open stays. */
static void full_index(void **state)
{
	struct bed *b = bed_new(1, 4096, 64);
	struct model *m = calloc(4096, sizeof(*m));
	uint32_t refused = 0;

	(void)state;
	for (uint32_t n = 0; n < 4096; n++) {
		m[n].at = FLOWS_NONE;
		model_open(b, m, n);
		refused += m[n].at == FLOWS_NONE;
	}
	assert_true(refused > 3700 && refused < 4000);
	for (uint32_t n = 0; n < 4096; n++)
		check_one(b, m, n);
	bed_free(b);
	free(m);
}

static void all_expire_at_once(void **state)
{
	enum { CAPACITY = 20000 };
	struct bed *b = bed_new(1, CAPACITY, 8192);
	uint32_t at;

	(void)state;
	for (uint32_t n = 0; n < CAPACITY; n++)
		assert_int_equal(open_one(b, n, &at), 0);
	bed_pass(b, 59 * SL_TICK_HZ);
	assert_int_equal(conn_count(&b->worker.conns), CAPACITY);
	bed_pass(b, 5 * SL_TICK_HZ);
	assert_int_equal(conn_count(&b->worker.conns), 0);
	assert_int_equal(b->slot.stats.connections_closed, CAPACITY);
	assert_int_equal(b->slot.backend_stats[5].active, 0);
	bed_free(b);
}

static void traffic_keeps_alive(void **state)
{
	struct bed *b = bed_new(1, 1024, 512);
	uint32_t quiet, busy;

	(void)state;
	assert_int_equal(open_one(b, 1, &quiet), 0);
	assert_int_equal(open_one(b, 2, &busy), 0);
	for (int i = 0; i < 200; i++) {
		bed_pass(b, SL_TICK_HZ);
		b->slot.conns.entry[busy].core.last_seen = b->worker.clock.tick;
	}
	assert_int_equal(b->slot.conns.check[quiet], 0);
	assert_int_not_equal(b->slot.conns.check[busy], 0);
	bed_free(b);
}

/* A shorter state's timeout counts from when the state was entered. */
static void state_shortens(void **state)
{
	struct bed *b = bed_new(1, 1024, 512);
	uint32_t at;

	(void)state;
	assert_int_equal(open_one(b, 1, &at), 0);
	conn_set_state(&b->worker, &b->worker.conns, &b->worker.conns.entry[at].core,
		       SL_CONN_CLOSE);
	bed_pass(b, 9 * SL_TICK_HZ);
	assert_int_not_equal(b->slot.conns.check[at], 0);
	bed_pass(b, 3 * SL_TICK_HZ);
	assert_int_equal(b->slot.conns.check[at], 0);
	bed_free(b);
}

/* A configuration with shorter timeouts reaches connections that are open. */
static void shorter_timeouts(void **state)
{
	struct bed *b = bed_new(1, 1024, 512);
	uint32_t at;

	(void)state;
	assert_int_equal(open_one(b, 1, &at), 0);
	bed_pass(b, 5 * SL_TICK_HZ);
	b->worker.timeout[SL_CONN_UDP] = 2 * SL_TICK_HZ;
	conn_look_at_all(&b->worker);
	bed_pass(b, 2 * SL_TICK_HZ);
	assert_int_equal(conn_count(&b->worker.conns), 0);
	bed_free(b);
}

/* Death between any two stores of open and close leaves a table that rebuilds. */
static void half_written(void **state)
{
	struct bed *b = bed_new(1, 1024, 512);
	uint32_t a, c;
	uint8_t dir;
	union sl_conn_entry copy;

	(void)state;
	assert_int_equal(open_one(b, 1, &a), 0);
	assert_int_equal(open_one(b, 2, &c), 0);
	/* died in open: filled, indexed, off the stack, but not made to exist */
	b->slot.conns.check[a] = 0;
	b->slot.conns.entry[a].core.seq |= 1;
	bed_die_and_rebuild(b);
	assert_int_equal(flows_find(b, &flows, 1, &dir), FLOWS_NONE);
	assert_int_equal(conn_count(&b->worker.conns), 1);
	assert_int_equal(b->slot.backend_stats[5].active, 1);
	/* died after it existed, before seq was even: a reader may see it again */
	b->slot.conns.entry[c].core.seq |= 1;
	assert_false(sl_conn_read(&b->slot.conns, c, &copy));
	bed_die_and_rebuild(b);
	assert_true(sl_conn_read(&b->slot.conns, c, &copy));
	/* the port of the one that died is free again, the other's is not */
	for (uint32_t i = 0; i < b->slot.ports_per_pool - 1; i++) {
		uint16_t pool, port = local_port_take(&b->worker, &flows.local,
						      local_port_group(&flows.backend.addr), &pool);

		assert_int_not_equal(port, 0);
		assert_int_not_equal(rte_cpu_to_be_16(port), copy.v4.key[SL_DIR_OUT].dport);
	}
	bed_free(b);
}

/* Both families share what is derived: after a death in one, both are read again. */
static void both_rebuilt(void **state)
{
	struct bed *b = bed_new(1, 1024, 512);
	struct flows six = flows_of(true, 1);
	uint32_t at, at6;
	uint8_t dir;

	(void)state;
	for (uint32_t n = 0; n < 300; n++) {
		assert_int_equal(flows_open(b, &flows, n, &at), 0);
		assert_int_equal(flows_open(b, &six, n, &at6), 0);
	}
	b->slot.conns6.check[at6] = 0;
	bed_attach(b);
	assert_false(conn_repair(&b->worker));
	conn_intend(&b->worker);
	bed_attach(b);
	assert_true(conn_repair(&b->worker));
	assert_int_equal(flows_find(b, &six, 299, &dir), FLOWS_NONE);
	for (uint32_t n = 0; n < 299; n++) {
		assert_int_not_equal(flows_find(b, &flows, n, &dir), FLOWS_NONE);
		assert_int_not_equal(flows_find(b, &six, n, &dir), FLOWS_NONE);
	}
	assert_int_equal(b->slot.backend_stats[5].active, 599);
	bed_pass(b, 65 * SL_TICK_HZ);
	assert_int_equal(conn_count(&b->worker.conns) + conn_count(&b->worker.conns6), 0);
	assert_int_equal(b->slot.backend_stats[5].active, 0);
	bed_free(b);
}

static void note_ports(struct bed *b, const struct flows *f, uint8_t *seen)
{
	const struct sl_conn_table *t = flows_shared(b, f);

	for (uint32_t at = 0; at < t->capacity; at++)
		if (t->check[at])
			assert_int_equal(seen[flows_port(b, f, at)]++, 0);
}

/* FullNAT64 takes its ports from the pools of FullNAT over IPv4: none twice, nor after a death. */
static void one_pool(void **state)
{
	struct bed *b = bed_new(2, 1024, 512);
	struct flows both[] = {flows_of(false, 0), flows64_of(0)};
	uint8_t *seen = calloc(65536, 1), dir;
	uint32_t at;

	(void)state;
	for (uint32_t n = 0; n < 600; n++) {
		assert_int_equal(flows_open(b, &both[n & 1], n, &at), 0);
		if (n % 3 == 0)
			conn_close(&b->worker, flows_table(b, &both[n & 1]),
				   conn_core(flows_table(b, &both[n & 1]), at));
		if (n == 300)
			bed_die_and_rebuild(b);
	}
	for (uint32_t n = 0; n < 600; n++)
		assert_int_equal(flows_find(b, &both[n & 1], n, &dir) == FLOWS_NONE, n % 3 == 0);
	note_ports(b, &both[0], seen);
	note_ports(b, &both[1], seen);
	free(seen);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),   cmocka_unit_test(random_operations6),
		cmocka_unit_test(random_operations64), cmocka_unit_test(one_pool),
		cmocka_unit_test(both_rebuilt),        cmocka_unit_test(fills_to_design_load),
		cmocka_unit_test(full_index),          cmocka_unit_test(all_expire_at_once),
		cmocka_unit_test(traffic_keeps_alive), cmocka_unit_test(state_shortens),
		cmocka_unit_test(shorter_timeouts),    cmocka_unit_test(half_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
