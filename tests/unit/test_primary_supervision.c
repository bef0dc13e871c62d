/* SPDX-License-Identifier: BSD-3-Clause */
/* One process of a slot as the supervisor sees it (process.c): by what it writes, at which time. */
#include "primary/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <sluice/shm.h>

#define WATCHDOG 500
#define K        1 /* the lcore id of the process in its slot */

static struct sl_worker_slot *slot;
static struct process process;
static uint64_t now; /* ms */

static int set_up(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		alarm(20);
		pause();
		_exit(0);
	}
	slot = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*slot));
	memset(slot, 0, sizeof(*slot));
	slot->worker.pid = 1; /* another one works */
	slot->worker.running = 1;
	now = 1000;
	process_begin(&process, K, pid, now);
	return pid < 0;
}

static int tear_down(void **state)
{
	(void)state;
	kill(process.pid, SIGKILL);
	waitpid(process.pid, NULL, 0);
	free(slot);
	return 0;
}

/* So many milliseconds, in which `beat`, if any, is moved every five. */
static void pass(unsigned int ms, uint64_t *beat)
{
	for (unsigned int i = 0; i < ms; i += 5, now += 5) {
		if (beat)
			*beat += 1000000;
		process_look(&process, slot, WATCHDOG, now);
	}
}

static void stands_by(void)
{
	slot->standby[K].pid = (uint32_t)process.pid;
	pass(10, NULL);
	assert_int_equal(process.stage, PROCESS_WAITING);
}

static void takes_over(void)
{
	slot->standby[K].pid = 0;
	slot->worker.pid = (uint32_t)process.pid;
	slot->worker.running = 0;
}

static void killed(const char *why)
{
	int status;

	assert_int_equal(process.stage, PROCESS_KILLED);
	assert_non_null(strstr(process.why, why));
	assert_int_equal(waitpid(process.pid, &status, 0), process.pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void stuck_in_its_start(void **state)
{
	(void)state;
	pass(19900, NULL);
	assert_int_equal(process.stage, PROCESS_STARTING);
	pass(200, NULL);
	killed("not ready");
}

static void standby_hangs(void **state)
{
	(void)state;
	stands_by();
	pass(60000, &slot->standby[K].beat_ns);
	assert_int_equal(process.stage, PROCESS_WAITING);
	pass(WATCHDOG, NULL); /* its beat is a slow one */
	assert_int_equal(process.stage, PROCESS_WAITING);
	pass(300, NULL);
	killed("hung");
}

static void does_not_take_over(void **state)
{
	(void)state;
	stands_by();
	process_expect_takeover(&process, now);
	pass(900, &slot->standby[K].beat_ns);
	assert_int_equal(process.stage, PROCESS_WAITING);
	pass(200, &slot->standby[K].beat_ns);
	killed("did not take over");
}

/* Of many connections: longer than a standby may be silent. */
static void repairs_for_long(void **state)
{
	(void)state;
	stands_by();
	process_expect_takeover(&process, now);
	takes_over();
	pass(10000, &slot->worker.heartbeat_ns);
	assert_int_not_equal(process.stage, PROCESS_KILLED);
	slot->worker.running = 1;
	pass(10, NULL);
	assert_int_equal(process.stage, PROCESS_ACTIVE);
}

static void hangs_in_its_repair(void **state)
{
	(void)state;
	stands_by();
	takes_over();
	pass(400, NULL);
	assert_int_equal(process.stage, PROCESS_WAITING);
	pass(200, NULL);
	killed("hung");
}

static void worker_hangs(void **state)
{
	(void)state;
	takes_over();
	slot->worker.running = 1;
	pass(60000, &slot->worker.heartbeat_ns);
	assert_int_equal(process.stage, PROCESS_ACTIVE);
	pass(WATCHDOG - 50, NULL);
	assert_int_equal(process.stage, PROCESS_ACTIVE);
	pass(100, NULL);
	killed("hung");
}

static void deaf(void **state)
{
	(void)state;
	stands_by();
	process_ask(&process, 0, now); /* a signal that does nothing */
	pass(4900, NULL);
	assert_int_equal(process.stage, PROCESS_LEAVING);
	pass(200, NULL);
	killed("deaf");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(stuck_in_its_start),
		T(standby_hangs),
		T(does_not_take_over),
		T(repairs_for_long),
		T(hangs_in_its_repair),
		T(worker_hangs),
		T(deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
