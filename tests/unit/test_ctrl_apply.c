/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transaction from the request to the workers' acknowledgement: a real store, event loop and
 * rings; the workers are a timer that does what a worker does between two bursts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <rte_ring_elem.h>

#include <sluice/msg.h>

#include "ctrl/ctrl.h"
#include "ctrl/publish.h"
#include "ctrl/store.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "tests/unit/lib/ctrl_bed.h"

#define WORKERS 2

static struct ctrl ctrl;
static struct store *store;
static struct event *worker_timer;
static bool stuck[WORKERS]; /* this worker does not look at its ring */
static unsigned int commands[WORKERS];
static char directory[64], path[96], copy[104];

/* Answers, in the order in which they came. */
#define ANSWERS 80
static struct apply_result answers[ANSWERS];
static unsigned int n_answers;
static size_t servers_seen; /* in the model while the last answer came */

static struct sl_worker_slot *slot(unsigned int w)
{
	return ctrl.root->worker[w];
}

static void work(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	for (unsigned int w = 0; w < WORKERS; w++) {
		struct sl_command c;

		if (stuck[w] || slot(w)->supervisor.state != SL_WORKER_RUNNING)
			continue;
		while (!rte_ring_sc_dequeue_elem(slot(w)->command, &c, sizeof(c))) {
			struct sl_answer a = {.id = c.id};

			assert_int_equal(c.type, SL_COMMAND_SNAPSHOT);
			commands[w]++;
			sl_snapshot_use(&ctrl.root->arena, &slot(w)->worker.snapshot_in_use);
			rte_ring_sp_enqueue_elem(slot(w)->answer, &a, sizeof(a));
		}
	}
}

static void start(void)
{
	struct timeval often = {0, 500};
	struct problem why;

	store = store_open(path, ctrl.root, &ctrl.model, &why);
	assert_non_null(store);
	ctrl.base = event_base_new();
	worker_timer = event_new(ctrl.base, -1, EV_PERSIST, work, NULL);
	event_add(worker_timer, &often);
	ctrl.apply = apply_new(&ctrl, store);
	assert_non_null(ctrl.apply);
}

static void stop(void)
{
	apply_free(ctrl.apply);
	event_free(worker_timer);
	event_base_free(ctrl.base);
	model_free(ctrl.model);
	store_close(store);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/sluice-test-apply-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/sluice.db", directory);
	snprintf(copy, sizeof(copy), "%s.copy", path);
	ctrl = (struct ctrl){.root = bed_root_new()};
	for (unsigned int w = 0; w < WORKERS; w++) {
		slot(w)->supervisor.state = SL_WORKER_RUNNING;
		stuck[w] = false;
		commands[w] = 0;
	}
	n_answers = 0;
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop();
	bed_root_free(ctrl.root);
	bed_json_free();
	return bed_remove(directory);
}

static void on_answer(void *arg, const struct apply_result *result)
{
	(void)arg;
	assert_true(n_answers < ANSWERS);
	answers[n_answers++] = *result;
	servers_seen = ctrl.model->count[RESOURCE_VIRTUAL_SERVER];
}

/* Let the loop run until so many answers are there; 10 s at most. */
static const struct apply_result *wait_for(unsigned int n)
{
	time_t end = time(NULL) + 10;

	while (n_answers < n && time(NULL) < end)
		event_base_loop(ctrl.base, EVLOOP_ONCE);
	assert_int_equal(n_answers, n);
	return &answers[n - 1];
}

static void let_run(unsigned int ms)
{
	struct timeval time = {ms / 1000, ms % 1000 * 1000};

	event_base_loopexit(ctrl.base, &time);
	event_base_dispatch(ctrl.base);
}

static void submit(const char *json, bool validate_only)
{
	const struct apply_request request = {
		.op = APPLY_CONFIG,
		.message = BED_CONFIG(json),
		.validate_only = validate_only,
	};
	struct problem why;

	if (apply_submit(ctrl.apply, &request, on_answer, NULL, &why))
		fail_msg("%s", why.text);
	bed_json_free(); /* all was copied */
}

static const struct apply_result *apply(const char *json)
{
	submit(json, false);
	return wait_for(n_answers + 1);
}

static void applied(const char *json)
{
	const struct apply_result *result = apply(json);

	if (result->problem.code)
		fail_msg("%s", result->problem.text);
}

static uint64_t generation(void)
{
	return ctrl.root->arena.current >> 1;
}

static const struct sl_snapshot *current(void)
{
	return ctrl.root->arena.half[ctrl.root->arena.current & 1];
}

static void workers_use_it_when_it_is_answered(void **state)
{
	const struct apply_result *result;

	(void)state;
	result = apply(bed_good);
	assert_int_equal(result->problem.code, 0);
	assert_int_equal(result->revision, 1);
	assert_int_equal(result->created, 6); /* route, local, pool, 2 backends, server */
	assert_int_equal(result->updated, 2); /* the interfaces */
	assert_int_equal(generation(), 1);
	for (unsigned int w = 0; w < WORKERS; w++)
		assert_int_equal(slot(w)->worker.snapshot_in_use, 1);
	assert_int_equal(current()->revision, 1);
	applied("{}");
	assert_int_equal(generation(), 2);
	assert_int_equal(current()->virtual_servers.count, 0);
}

static void no_change_is_no_revision(void **state)
{
	const struct apply_result *result;

	(void)state;
	applied(bed_good);
	result = apply(bed_good);
	assert_int_equal(result->problem.code, 0);
	assert_int_equal(result->revision, 1);
	assert_int_equal(result->created + result->updated + result->deleted, 0);
	assert_int_equal(generation(), 1);
}

static void validate_only_shows_and_leaves(void **state)
{
	const struct apply_result *result;

	(void)state;
	submit(bed_good, true);
	result = wait_for(1);
	assert_int_equal(result->problem.code, 0);
	assert_int_equal(result->created, 6);
	assert_int_equal(result->revision, 0);
	assert_int_equal(servers_seen, 1); /* the handler saw what it would be */
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 0);
	assert_int_equal(generation(), 0);
	submit("{'virtualServers': [{'name': 'v'}]}", true);
	assert_int_equal(wait_for(2)->problem.code, PROBLEM_INVALID_ARGUMENT);
}

static void refused_changes_nothing(void **state)
{
	const struct apply_result *result;

	(void)state;
	applied(bed_good);
	result = apply("{'interfaces': [{'name': 'moon'}]}");
	assert_int_equal(result->problem.code, PROBLEM_FAILED_PRECONDITION);
	assert_int_equal(result->created + result->updated + result->deleted, 0);
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 1);
	assert_int_equal(generation(), 1);
}

static void a_stopped_worker_is_not_waited_for(void **state)
{
	(void)state;
	slot(1)->supervisor.state = SL_WORKER_DOWN;
	slot(1)->worker.snapshot_in_use = 77; /* a word that a dead process left */
	applied(bed_good);
	applied("{}");
	applied(bed_good);
	assert_int_equal(commands[1], 0);
	/* It comes back and finds stale commands: they do no harm. */
	slot(1)->worker.snapshot_in_use = 0;
	slot(1)->supervisor.state = SL_WORKER_RUNNING;
	applied("{}");
	assert_int_equal(slot(1)->worker.snapshot_in_use, generation());
}

static void a_worker_that_hangs(void **state)
{
	const struct apply_result *result;

	(void)state;
	applied(bed_good);
	stuck[1] = true;
	result = apply("{}");
	assert_int_equal(result->problem.code, PROBLEM_DEADLINE_EXCEEDED);
	assert_non_null(strstr(result->problem.text, "worker 1"));
	assert_int_equal(result->revision, 2); /* it stands */
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 0);
	assert_int_equal(slot(0)->worker.snapshot_in_use, 2);
	/* The half that is needed now is in use by the one that hangs. */
	result = apply(bed_good);
	assert_int_equal(result->problem.code, PROBLEM_UNAVAILABLE);
	assert_non_null(strstr(result->problem.text, "worker 1"));
	assert_int_equal(result->revision, 2);
	stuck[1] = false;
	applied(bed_good);
	assert_int_equal(slot(1)->worker.snapshot_in_use, 3);
}

/* It dies while it is waited for: nobody waits for the deadline. */
static void a_worker_that_dies(void **state)
{
	(void)state;
	stuck[1] = true;
	submit(bed_good, false);
	while (!generation())
		event_base_loop(ctrl.base, EVLOOP_ONCE);
	let_run(20);
	assert_int_equal(n_answers, 0);
	slot(1)->supervisor.state = SL_WORKER_DOWN;
	let_run(20);
	assert_int_equal(n_answers, 1);
	assert_int_equal(answers[0].problem.code, 0);
}

static void the_primary_reads_a_snapshot(void **state)
{
	(void)state;
	applied(bed_good);
	ctrl.root->primary_snapshot_in_use = 1;
	applied("{}");
	submit(bed_good, false);
	let_run(100);
	assert_int_equal(n_answers, 2); /* it waits for the primary */
	ctrl.root->primary_snapshot_in_use = 0;
	assert_int_equal(wait_for(3)->problem.code, 0);
}

static void requests_are_carried_out_in_order(void **state)
{
	struct apply_request one = {.op = APPLY_CONFIG};
	struct problem why;
	char json[80];

	(void)state;
	for (int i = 0; i < 64; i++) {
		snprintf(json, sizeof(json), "{'timeouts': {'udp': %d}}", i + 1);
		submit(json, false);
	}
	one.message = BED_CONFIG("{}");
	assert_int_not_equal(apply_submit(ctrl.apply, &one, on_answer, NULL, &why), 0);
	assert_int_equal(why.code, PROBLEM_UNAVAILABLE);
	wait_for(64);
	for (unsigned int i = 0; i < 64; i++) {
		assert_int_equal(answers[i].problem.code, 0);
		assert_int_equal(answers[i].revision, i + 1);
	}
	assert_int_equal(current()->timeout[SL_CONN_UDP], 64 * SL_TICK_HZ);
}

static void restarted_without_a_difference(void **state)
{
	(void)state;
	applied(bed_good);
	stop();
	start();
	let_run(50);
	assert_int_equal(generation(), 1);
	assert_int_equal(ctrl.model->revision, 1);
	assert_int_equal(commands[0], 1);
}

/* The whole appliance was restarted: the store is published again. */
static void published_again_on_a_fresh_arena(void **state)
{
	(void)state;
	applied(bed_good);
	stop();
	ctrl.root->arena.current = 0;
	for (unsigned int w = 0; w < WORKERS; w++)
		slot(w)->worker.snapshot_in_use = 0;
	start();
	let_run(50);
	assert_int_equal(generation(), 1);
	assert_int_equal(current()->revision, 1);
	assert_int_equal(current()->virtual_servers.count, 1);
}

/* Killed between commit and publication: the next start finishes it. */
static void published_when_the_store_is_ahead(void **state)
{
	const uint64_t before = SL_CURRENT(1, 0);

	(void)state;
	applied(bed_good);
	applied("{}");
	stop();
	ctrl.root->arena.current = before;
	for (unsigned int w = 0; w < WORKERS; w++)
		slot(w)->worker.snapshot_in_use = 1;
	start();
	let_run(50);
	assert_int_equal(generation(), 2);
	assert_int_equal(current()->revision, 2);
	assert_int_equal(slot(0)->worker.snapshot_in_use, 2);
}

static int create_pool(void)
{
	const struct apply_request request = {
		.op = APPLY_CREATE,
		.kind = RESOURCE_BACKEND_POOL,
		.message = bed_json(&sluice__v1__backend_pool__descriptor, "{'name': 'p'}"),
	};
	struct problem why;
	int rc = apply_submit(ctrl.apply, &request, on_answer, NULL, &why);

	bed_json_free();
	return rc;
}

/* The database is gone while the workers run: they keep what they have until told the whole. */
static void a_lost_database(void **state)
{
	(void)state;
	applied(bed_good);
	stop();
	unlink(path);
	unlink(copy);
	start();
	let_run(50);
	assert_int_equal(generation(), 1);
	assert_int_equal(current()->virtual_servers.count, 1);
	assert_int_equal(create_pool(), 0);
	assert_int_equal(wait_for(2)->problem.code, PROBLEM_FAILED_PRECONDITION);
	assert_int_equal(generation(), 1);
	assert_int_equal(apply(bed_good)->problem.code, 0);
	assert_int_equal(ctrl.model->revision, 2); /* after the one that is running */
	assert_int_equal(generation(), 2);
	assert_int_equal(create_pool(), 0);
	assert_int_equal(wait_for(4)->problem.code, 0);
}

static void ended_with_requests_waiting(void **state)
{
	(void)state;
	submit(bed_good, false);
	submit("{}", false);
	apply_free(ctrl.apply);
	assert_int_equal(n_answers, 2);
	assert_int_equal(answers[0].problem.code, PROBLEM_UNAVAILABLE);
	ctrl.apply = apply_new(&ctrl, store);
	assert_non_null(ctrl.apply);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(workers_use_it_when_it_is_answered),
		T(no_change_is_no_revision),
		T(validate_only_shows_and_leaves),
		T(refused_changes_nothing),
		T(a_stopped_worker_is_not_waited_for),
		T(a_worker_that_hangs),
		T(a_worker_that_dies),
		T(the_primary_reads_a_snapshot),
		T(requests_are_carried_out_in_order),
		T(restarted_without_a_difference),
		T(published_again_on_a_fresh_arena),
		T(published_when_the_store_is_ahead),
		T(a_lost_database),
		T(ended_with_requests_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
