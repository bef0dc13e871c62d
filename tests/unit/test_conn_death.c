/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker dies at every single instruction of opening and of closing a connection.
 *
 * A child is stepped through the operation (ptrace); after n steps what it has written is read from
 * its memory, it is killed, and the slot is repaired and judged: the connection exists or
 * it does not, and index, stack, ports and gauges agree with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "secondary/local_port.h"
#include "tests/unit/lib/bed.h"

#define CAPACITY  16
#define BUCKETS   8
#define FORMER    3 /* connections that are open before */
#define CONN_NONE UINT32_MAX
#define BACKEND   SL_REF(5, 1)
#define VIP       0x500002c0u /* 192.0.2.80 */
#define LOCAL     0x0a3364c6u /* 198.51.100.10 */
#define REAL      0x653364c6u /* 198.51.100.101 */

static const struct sl_local_address local = {.ref = SL_REF(0, 1), .addr = LOCAL};
static const struct sl_backend backend = {.ref = BACKEND, .addr = SL_ADDR_V4(REAL), .port = 0x5000};

static struct conn_new connection(struct bed *b, uint32_t n)
{
	struct conn_new c = {
		.key = {{.proto = IPPROTO_UDP,
			 .saddr = 0x0a000000u + n,
			 .daddr = VIP,
			 .sport = 7,
			 .dport = 0x5000},
			{.proto = IPPROTO_UDP, .saddr = REAL, .daddr = LOCAL, .sport = 0x5000}},
		.virtual_server = SL_REF(3, 1),
		.backend = BACKEND,
		.state = SL_CONN_UDP,
	};

	c.hash[SL_DIR_IN] = conn_tuple_hash(&b->worker.conns, &c.key[SL_DIR_IN]);
	return c;
}

/* As schedule.c does it. */
static void open_one(struct bed *b, uint32_t n)
{
	struct conn_new c = connection(b, n);
	struct sl_conn *e;

	conn_intend(&b->worker);
	c.key[SL_DIR_OUT].dport =
		rte_cpu_to_be_16(local_port_take(&b->worker, &local, &backend, &c.port_pool));
	c.hash[SL_DIR_OUT] = conn_tuple_hash(&b->worker.conns, &c.key[SL_DIR_OUT]);
	if (conn_open(&b->worker, &c, &e))
		abort();
	conn_agreed(&b->worker);
}

static uint32_t find(struct bed *b, uint32_t n)
{
	const struct conn_table *t = &b->worker.conns;
	struct conn_new c = connection(b, n);
	struct sl_conn *e;
	uint64_t key[2];
	uint8_t dir;

	memcpy(key, &c.key[SL_DIR_IN], sizeof(key));
	e = conn_find(t, key, c.hash[SL_DIR_IN], &dir);
	return e ? (uint32_t)(e - t->entry) : CONN_NONE;
}

static void open_next(struct bed *b)
{
	open_one(b, FORMER);
}

static void close_first(struct bed *b)
{
	conn_close(&b->worker, &b->worker.conns.entry[find(b, 0)]);
}

/* The same memory here as it is there: after a fork the addresses are the same. */
static void copy(pid_t from, void *at, size_t size)
{
	struct iovec v = {at, size};

	if (process_vm_readv(from, &v, 1, &v, 1, 0) != (ssize_t)size)
		abort();
}

static void copy_slot(pid_t from, struct bed *b)
{
	struct sl_worker_slot *s = &b->slot;

	copy(from, s, sizeof(*s));
	copy(from, s->conns.entry, CAPACITY * sizeof(*s->conns.entry));
	copy(from, s->conns.check, CAPACITY * sizeof(*s->conns.check));
	copy(from, s->conns.bucket, BUCKETS * sizeof(*s->conns.bucket));
	copy(from, s->conns.free, CAPACITY * sizeof(*s->conns.free));
	copy(from, s->port_pool, s->port_pools * sizeof(*s->port_pool));
	copy(from, s->port_ring, s->port_pools * s->ports_per_pool * sizeof(*s->port_ring));
	copy(from, s->virtual_server_stats, 16 * sizeof(*s->virtual_server_stats));
	copy(from, s->backend_stats, 64 * sizeof(*s->backend_stats));
}

#define SAY(condition)                                                              \
	do {                                                                        \
		if (!(condition)) {                                                 \
			fprintf(stderr, "after %d steps: " #condition "\n", steps); \
			_exit(1);                                                   \
		}                                                                   \
	} while (0)

/* Every port is in use by one connection or is free once. */
static void judge_ports(struct bed *b, int steps, uint32_t open)
{
	static uint8_t seen[65536];
	uint32_t taken = 0;
	uint16_t pool, port;

	for (uint32_t i = 0; i < CAPACITY; i++)
		if (b->slot.conns.check[i])
			SAY(!seen[rte_be_to_cpu_16(
				b->slot.conns.entry[i].key[SL_DIR_OUT].dport)]++);
	for (; (port = local_port_take(&b->worker, &local, &backend, &pool)); taken++)
		SAY(!seen[port]++);
	SAY(taken + open == b->slot.ports_per_pool);
}

static void judge(struct bed *b, int steps, bool changed_is_open)
{
	uint32_t changed = changed_is_open ? 0 : FORMER;
	uint32_t open = FORMER - changed_is_open;

	for (uint32_t n = changed_is_open; n < FORMER; n++)
		SAY(find(b, n) != CONN_NONE);
	if (find(b, changed) != CONN_NONE) {
		struct sl_conn copy;

		open++;
		SAY(sl_conn_read(&b->slot.conns, find(b, changed), &copy));
	}
	SAY(conn_count(&b->worker.conns) == open);
	SAY(b->slot.backend_stats[5].active == open);
	SAY(b->slot.virtual_server_stats[3].active == open);
	judge_ports(b, steps, open);
	for (uint32_t n = 10; n < 10 + CAPACITY - open; n++) { /* and it is as good as new */
		struct conn_new c = connection(b, n);
		struct sl_conn *e;

		c.key[SL_DIR_OUT].dport = (uint16_t)n;
		c.hash[SL_DIR_OUT] = conn_tuple_hash(&b->worker.conns, &c.key[SL_DIR_OUT]);
		SAY(!conn_open(&b->worker, &c, &e));
	}
}

/* In a process of its own: die after `steps`. Exit code: 0 good, 1 bad, 2 it had ended by then. */
static void run(struct bed *b, void (*operation)(struct bed *), int steps, bool changed_is_open)
{
	int status;
	pid_t child = fork();

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		operation(b);
		raise(SIGSTOP);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		_exit(1);
	for (int i = 0; i < steps; i++) {
		ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
		if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
			_exit(1);
		if (WSTOPSIG(status) == SIGSTOP)
			break;
	}
	copy_slot(child, b);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	bed_attach(b);
	conn_repair(&b->worker);
	judge(b, steps, changed_is_open);
	_exit(WSTOPSIG(status) == SIGSTOP && steps ? 2 : 0);
}

static void die_everywhere(void (*operation)(struct bed *), bool changed_is_open)
{
	struct bed *b = bed_new(2, CAPACITY, BUCKETS);
	int status = 0, steps;

	for (uint32_t n = 0; n < FORMER; n++)
		open_one(b, n);
	for (steps = 0; steps < 20000; steps++) {
		pid_t judge_pid = fork();

		if (!judge_pid)
			run(b, operation, steps, changed_is_open);
		assert_int_equal(waitpid(judge_pid, &status, 0), judge_pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status))
			break;
	}
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_true(steps > 100);
	bed_free(b);
}

static void opening(void **state)
{
	(void)state;
	die_everywhere(open_next, false);
}

static void closing(void **state)
{
	(void)state;
	die_everywhere(close_first, true);
}

/* Most deaths cost no rebuild. */
static void nothing_intended(void **state)
{
	struct bed *b = bed_new(2, CAPACITY, BUCKETS);

	(void)state;
	open_one(b, 1);
	bed_attach(b);
	assert_false(conn_repair(&b->worker));
	conn_intend(&b->worker);
	bed_attach(b);
	assert_true(conn_repair(&b->worker));
	assert_false(conn_repair(&b->worker));
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(closing),
		cmocka_unit_test(nothing_intended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
