/* SPDX-License-Identifier: BSD-3-Clause */
/* When the next process of a slot is started, by how those before it did (primary/backoff.h). */
#include "primary/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct backoff b;
static uint64_t now;

static int set_up(void **state)
{
	(void)state;
	b = (struct backoff){0};
	now = 5000;
	return 0;
}

/* The milliseconds until the next one, which pass. */
static unsigned int after(bool asked, bool ready, uint64_t lived)
{
	unsigned int wait;

	now += lived;
	backoff_ended(&b, asked, ready, lived, now);
	assert_true(b.due >= now);
	wait = (unsigned int)(b.due - now);
	now = b.due;
	backoff_started(&b);
	return wait;
}

static void at_once(void **state)
{
	(void)state;
	assert_int_equal(after(true, false, 10), 0);
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(after(false, true, 1000), 0);
}

static void young_deaths_of_ready_ones(void **state)
{
	static const unsigned int wanted[] = {0, 100, 200, 400, 800, 1000, 1000, 1000};

	(void)state;
	for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(after(false, true, 999), wanted[i]);
	assert_int_equal(after(false, true, 1000), 0);
	assert_int_equal(after(false, true, 0), 0);
}

static void never_ready(void **state)
{
	static const unsigned int wanted[] = {100,  200,  400,   800,   1600,
					      3200, 6400, 10000, 10000, 10000};

	(void)state;
	for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(after(false, false, 20000), wanted[i]);
	/* one that was ready ends the long waits */
	assert_int_equal(after(false, true, 10), 1000);
	assert_int_equal(after(false, false, 10), 1000);
	assert_int_equal(after(false, false, 10), 2000);
	assert_int_equal(after(true, true, 10), 0);
	assert_int_equal(after(false, false, 10), 100);
}

/* A worker and its standby, in either order: one failure. */
static void die_together(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t due;

		b = (struct backoff){.next = 200};
		backoff_ended(&b, false, true, 10, now);
		due = b.due;
		assert_int_equal(due, now + 200);
		backoff_ended(&b, false, i, 20, now + 5);
		assert_int_equal(b.due, due);
		backoff_started(&b);
		backoff_ended(&b, false, true, 10, now);
		assert_int_equal(b.due, now + 400);
		backoff_ended(&b, false, true, 5000, now + 7);
		assert_int_equal(b.due, now + 7);
		backoff_ended(&b, false, false, 5000, now + 9);
		assert_int_equal(b.due, now + 7);
	}
}

static void no_start_at_all(void **state)
{
	unsigned int waits = 0;

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		backoff_no_start(&b, now);
		waits += (unsigned int)(b.due - now);
	}
	assert_int_equal(waits, 100 + 200 + 400 + 800 + 1600 + 3200 + 6400 + 3 * 10000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(at_once),         T(young_deaths_of_ready_ones), T(never_ready), T(die_together),
		T(no_start_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
