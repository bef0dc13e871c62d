/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection table against a naive model, under random operations and deaths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>

#include <sluice/owner.h>

#include "secondary/local_port.h"
#include "tests/unit/lib/bed.h"

#define CONN_NONE UINT32_MAX /* no entry */

#define SERVER    SL_REF(3, 1)
#define BACKEND   SL_REF(5, 1)
#define VIP       0x500002c0u /* 192.0.2.80 */
#define LOCAL     0x0a3364c6u /* 198.51.100.10 */
#define REAL      0x653364c6u /* 198.51.100.101 */

static const struct sl_local_address local = {.ref = SL_REF(0, 1), .addr = LOCAL};
static const struct sl_backend backend = {.ref = BACKEND, .addr = SL_ADDR_V4(REAL), .port = 0x5000};

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13; /* xorshift64, Marsaglia 2003 */
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void key_of(const struct sl_tuple *t, uint64_t key[2])
{
	memcpy(key, t, sizeof(*t));
	key[0] &= CONN_KEY_MASK;
}

static struct sl_tuple client_tuple(uint32_t n)
{
	return (struct sl_tuple){.proto = IPPROTO_UDP,
				 .saddr = 0x0a000000u + n,
				 .daddr = VIP,
				 .sport = (uint16_t)(n * 7),
				 .dport = 0x5000};
}

static uint32_t find(struct bed *b, const struct sl_tuple *t, uint8_t *dir)
{
	const struct conn_table *table = &b->worker.conns;
	struct sl_conn *e;
	uint64_t key[2];

	key_of(t, key);
	e = conn_find(table, key, conn_hash(table, key[0], key[1]), dir);
	return e ? (uint32_t)(e - table->entry) : CONN_NONE;
}

static int open_one(struct bed *b, uint32_t n, uint32_t *at)
{
	const struct conn_table *t = &b->worker.conns;
	struct conn_new c = {
		.key = {client_tuple(n),
			{.proto = IPPROTO_UDP, .saddr = REAL, .daddr = LOCAL, .sport = 0x5000}},
		.virtual_server = SERVER,
		.backend = BACKEND,
		.state = SL_CONN_UDP,
	};
	uint16_t port = local_port_take(&b->worker, &local, &backend, &c.port_pool);
	struct sl_conn *e;
	int rc;

	assert_int_not_equal(port, 0);
	c.key[SL_DIR_OUT].dport = rte_cpu_to_be_16(port);
	for (int dir = 0; dir < 2; dir++)
		c.hash[dir] = conn_tuple_hash(t, &c.key[dir]);
	rc = conn_open(&b->worker, &c, &e);
	if (rc)
		local_port_put(&b->worker, c.port_pool, LOCAL, port);
	else
		*at = (uint32_t)(e - t->entry);
	return rc;
}

/* What the model knows of client n. */
struct model {
	uint32_t at; /* CONN_NONE: not there */
	uint16_t local_port;
};

static void check_one(struct bed *b, const struct model *m, uint32_t n)
{
	struct sl_tuple in = client_tuple(n), out;
	uint8_t dir = 9;
	uint32_t at = find(b, &in, &dir);

	assert_int_equal(at, m[n].at);
	if (at == CONN_NONE)
		return;
	assert_int_equal(dir, SL_DIR_IN);
	out = b->slot.conns.entry[at].key[SL_DIR_OUT];
	assert_int_equal(out.dport, m[n].local_port);
	assert_int_equal(find(b, &out, &dir), at);
	assert_int_equal(dir, SL_DIR_OUT);
}

static void model_open(struct bed *b, struct model *m, uint32_t n)
{
	uint32_t at = CONN_NONE;
	int rc = open_one(b, n, &at);

	if (rc) {
		assert_true(rc == -ENOSPC || rc == -EXFULL);
		return;
	}
	m[n].at = at;
	m[n].local_port = b->slot.conns.entry[at].key[SL_DIR_OUT].dport;
}

/* Each bucket knows how many tuples it sent away: counted again from what stands where. */
static uint32_t check_strays(struct bed *b)
{
	const struct conn_table *t = &b->worker.conns;
	uint32_t *strays = calloc(t->bucket_mask + 1, sizeof(*strays)), all = 0;

	for (uint32_t i = 0; i <= t->bucket_mask; i++) {
		for (uint32_t k = 0; k < SL_CONN_BUCKET_SLOTS; k++) {
			uint32_t ref = t->bucket[i].ref[k], first;

			if (!ref)
				continue;
			first = conn_bucket(
				t, conn_tuple_hash(t, &t->entry[(ref - 1) / 2].key[(ref - 1) & 1]));
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
static void random_operations(void **state)
{
	enum { CLIENTS = 6000, BUCKETS = 1024, STEPS = 2000000 };
	enum { CAPACITY = BUCKETS * SL_CONN_BUCKET_SLOTS * 75 / 100 / 2 };
	struct bed *b = bed_new(2, CAPACITY, BUCKETS);
	struct model *m = calloc(CLIENTS, sizeof(*m));
	uint32_t open = 0;

	(void)state;
	for (uint32_t n = 0; n < CLIENTS; n++)
		m[n].at = CONN_NONE;
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t n = (uint32_t)(next_random() % CLIENTS);

		if (m[n].at == CONN_NONE) {
			model_open(b, m, n);
			open += m[n].at != CONN_NONE;
		} else if (next_random() % 3 == 0) {
			conn_close(&b->worker, &b->worker.conns.entry[m[n].at]);
			m[n].at = CONN_NONE;
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
		assert_int_equal(conn_count(&b->worker.conns), open);
		assert_int_equal(b->slot.backend_stats[5].active, open);
	}
	check_strays(b);
	assert_true(open > CLIENTS / 3);
	free(m);
	bed_free(b);
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
		m[n].at = CONN_NONE;
		model_open(b, m, n);
		refused += m[n].at == CONN_NONE;
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
		b->slot.conns.entry[busy].last_seen = b->worker.clock.tick;
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
	conn_set_state(&b->worker, &b->worker.conns.entry[at], SL_CONN_CLOSE);
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
	conn_timeouts_shorter(&b->worker.conns);
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
	struct sl_tuple t = client_tuple(1);
	struct sl_conn copy;

	(void)state;
	assert_int_equal(open_one(b, 1, &a), 0);
	assert_int_equal(open_one(b, 2, &c), 0);
	/* died in open: filled, indexed, off the stack, but not made to exist */
	b->slot.conns.check[a] = 0;
	b->slot.conns.entry[a].seq |= 1;
	bed_die_and_rebuild(b);
	assert_int_equal(find(b, &t, &dir), CONN_NONE);
	assert_int_equal(conn_count(&b->worker.conns), 1);
	assert_int_equal(b->slot.backend_stats[5].active, 1);
	/* died after it existed, before seq was even: a reader may see it again */
	b->slot.conns.entry[c].seq |= 1;
	assert_false(sl_conn_read(&b->slot.conns, c, &copy));
	bed_die_and_rebuild(b);
	assert_true(sl_conn_read(&b->slot.conns, c, &copy));
	/* the port of the one that died is free again, the other's is not */
	for (uint32_t i = 0; i < b->slot.ports_per_pool - 1; i++) {
		uint16_t pool, port = local_port_take(&b->worker, &local, &backend, &pool);

		assert_int_not_equal(port, 0);
		assert_int_not_equal(rte_cpu_to_be_16(port), copy.key[SL_DIR_OUT].dport);
	}
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations),   cmocka_unit_test(fills_to_design_load),
		cmocka_unit_test(full_index),          cmocka_unit_test(all_expire_at_once),
		cmocka_unit_test(traffic_keeps_alive), cmocka_unit_test(state_shortens),
		cmocka_unit_test(shorter_timeouts),    cmocka_unit_test(half_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
