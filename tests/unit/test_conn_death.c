/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker dies at every single instruction of opening and of closing a connection, of either
 * family, and of both.
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
#include "tests/unit/lib/flows.h"

#define CAPACITY 16
#define BUCKETS  8
#define FORMER   3 /* connections that are open before */

static struct flows flows; /* of the family under test */

static void open_one(struct bed *b, uint32_t n)
{
	uint32_t at;

	if (flows_open(b, &flows, n, &at))
		abort();
}

static uint32_t find(struct bed *b, uint32_t n)
{
	uint8_t dir;

	return flows_find(b, &flows, n, &dir);
}

static void open_next(struct bed *b)
{
	open_one(b, FORMER);
}

static void close_first(struct bed *b)
{
	struct conn_table *t = flows_table(b, &flows);

	conn_close(&b->worker, t, conn_core(t, find(b, 0)));
}

static void change_state(struct bed *b, uint32_t n, uint8_t state)
{
	struct conn_table *t = flows_table(b, &flows);

	conn_set_state(&b->worker, t, conn_core(t, find(b, n)), state);
}

static void establish_first(struct bed *b)
{
	change_state(b, 0, SL_CONN_ESTABLISHED);
}

static void end_second(struct bed *b)
{
	change_state(b, 1, SL_CONN_FIN_WAIT);
}

/* The same memory here as it is there: after a fork the addresses are the same. */
static void copy(pid_t from, void *at, size_t size)
{
	struct iovec v = {at, size};

	if (process_vm_readv(from, &v, 1, &v, 1, 0) != (ssize_t)size)
		abort();
}

static void copy_conns(pid_t from, const struct sl_conn_table *t)
{
	copy(from, t->entry, CAPACITY * t->entry_size);
	copy(from, t->check, CAPACITY * sizeof(*t->check));
	copy(from, t->bucket, BUCKETS * sizeof(*t->bucket));
	copy(from, t->free, CAPACITY * sizeof(*t->free));
}

static void copy_slot(pid_t from, struct bed *b)
{
	struct sl_worker_slot *s = &b->slot;

	copy(from, s, sizeof(*s));
	copy_conns(from, &s->conns);
	copy_conns(from, &s->conns6);
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
		if (flows_shared(b, &flows)->check[i])
			SAY(!seen[flows_port(b, &flows, i)]++);
	for (; (port = local_port_take(&b->worker, &flows.local,
				       local_port_group(&flows.backend.addr), &pool));
	     taken++)
		SAY(!seen[port]++);
	SAY(taken + open == b->slot.ports_per_pool);
}

static void judge_gauges(struct bed *b, int steps, uint32_t open)
{
	const struct conn_table *t = flows_table(b, &flows);
	uint32_t established = 0;

	for (uint32_t i = 0; i < CAPACITY; i++)
		established += t->check[i] && conn_core(t, i)->state == SL_CONN_ESTABLISHED;
	SAY(conn_count(t) == open);
	SAY(b->slot.backend_stats[5].active == open);
	SAY(b->slot.virtual_server_stats[3].active == open);
	SAY(b->slot.backend_stats[5].established == established);
}

static void judge(struct bed *b, int steps, bool changed_is_open)
{
	uint32_t changed = changed_is_open ? 0 : FORMER;
	uint32_t open = FORMER - changed_is_open;

	for (uint32_t n = changed_is_open; n < FORMER; n++)
		SAY(find(b, n) != FLOWS_NONE);
	if (find(b, changed) != FLOWS_NONE) {
		union sl_conn_entry copy;

		open++;
		SAY(sl_conn_read(flows_shared(b, &flows), find(b, changed), &copy));
	}
	judge_gauges(b, steps, open);
	judge_ports(b, steps, open);
	for (uint32_t n = 10; n < 10 + CAPACITY - open; n++) { /* and it is as good as new */
		struct conn_new c = flows_new(b, &flows, n);
		uint32_t at;

		flows_set_port(b, &flows, &c, (uint16_t)n);
		SAY(!conn_open(&b->worker, flows_table(b, &flows), &c, &at));
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

static void die_everywhere(struct flows f, void (*operation)(struct bed *), bool changed_is_open)
{
	struct bed *b = bed_new(2, CAPACITY, BUCKETS);
	int status = 0, steps;

	flows = f;
	for (uint32_t n = 0; n < FORMER; n++)
		open_one(b, n);
	for (uint32_t n = 1; n < FORMER; n++)
		change_state(b, n, SL_CONN_ESTABLISHED);
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
	assert_true(steps > 20);
	bed_free(b);
}

static void opening(void **state)
{
	(void)state;
	die_everywhere(flows_of(false, 0), open_next, false);
}

static void closing(void **state)
{
	(void)state;
	die_everywhere(flows_of(false, 0), close_first, true);
}

/* All but the first are. */
static void established(void **state)
{
	(void)state;
	die_everywhere(flows_of(false, 0), establish_first, true);
}

static void established_no_longer(void **state)
{
	(void)state;
	die_everywhere(flows_of(false, 0), end_second, true);
}

static void opening6(void **state)
{
	(void)state;
	die_everywhere(flows_of(true, 0), open_next, false);
}

static void closing6(void **state)
{
	(void)state;
	die_everywhere(flows_of(true, 0), close_first, true);
}

static void opening64(void **state)
{
	(void)state;
	die_everywhere(flows64_of(0), open_next, false);
}

static void closing64(void **state)
{
	(void)state;
	die_everywhere(flows64_of(0), close_first, true);
}

/* Most deaths cost no rebuild. */
static void nothing_intended(void **state)
{
	struct bed *b = bed_new(2, CAPACITY, BUCKETS);

	(void)state;
	flows = flows_of(false, 0);
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
		cmocka_unit_test(opening6),
		cmocka_unit_test(closing6),
		cmocka_unit_test(opening64),
		cmocka_unit_test(closing64),
		cmocka_unit_test(nothing_intended),
		cmocka_unit_test(established),
		cmocka_unit_test(established_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
