/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transaction from the request to the workers' acknowledgement: a real store, event loop and
 * rings; the workers are a timer that does what a worker does between two bursts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <rte_ring_elem.h>
#include <sqlite3.h>

#include <sluice/msg.h>

#include "ctrl/commands.h"
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
	ctrl.commands = commands_new(ctrl.root);
	assert_non_null(ctrl.commands);
	ctrl.apply = apply_new(&ctrl, store);
	assert_non_null(ctrl.apply);
}

static void stop(void)
{
	apply_free(ctrl.apply);
	commands_free(ctrl.commands);
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

/* The same until something is so. */
#define wait_until(condition)                                    \
	do {                                                     \
		time_t end = time(NULL) + 10;                    \
		while (!(condition) && time(NULL) < end)         \
			event_base_loop(ctrl.base, EVLOOP_ONCE); \
		assert_true(condition);                          \
	} while (0)

/* For what must not happen. */
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

/* One number from the file. */
static long long number(const char *sql)
{
	sqlite3_stmt *stmt;
	long long value;

	assert_int_equal(sqlite3_prepare_v2(store_database(store), sql, -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
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
	wait_until(generation());
	let_run(20);
	assert_int_equal(n_answers, 0);
	slot(1)->supervisor.state = SL_WORKER_DOWN;
	assert_int_equal(wait_for(1)->problem.code, 0);
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

static void the_primary_dies_while_it_reads_a_snapshot(void **state)
{
	pid_t child = fork();

	(void)state;
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	ctrl.root->primary_pid = child;
	applied(bed_good);
	ctrl.root->primary_snapshot_in_use = 1;
	applied("{}");
	applied(bed_good);
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
	wait_until(generation() == 1);
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
	wait_until(slot(0)->worker.snapshot_in_use == 2);
	assert_int_equal(generation(), 2);
	assert_int_equal(current()->revision, 2);
}

static void see_generation(void *arg)
{
	uint64_t *seen = arg;

	*seen = slot(0)->worker.snapshot_in_use;
}

/* Nobody is answered before the workers use what is stored. */
static void caught_up_is_told_when_it_is_so(void **state)
{
	uint64_t seen = 0;

	(void)state;
	apply_when_caught_up(ctrl.apply, see_generation, &seen); /* nothing is stored: at once */
	applied(bed_good);
	applied("{}");
	stop();
	ctrl.root->arena.current = SL_CURRENT(1, 0);
	for (unsigned int w = 0; w < WORKERS; w++)
		slot(w)->worker.snapshot_in_use = 1;
	start();
	apply_when_caught_up(ctrl.apply, see_generation, &seen);
	assert_int_equal(seen, 0);
	wait_until(seen);
	assert_int_equal(seen, 2);
}

/* Killed between making a half current and telling everybody: who was not told is, and then there
 * is room for the next one. */
static void told_by_the_next_one(void **state)
{
	(void)state;
	applied(bed_good);
	applied("{}");
	stop();
	slot(1)->worker.snapshot_in_use = 1;
	start();
	wait_until(slot(1)->worker.snapshot_in_use == 2);
	assert_int_equal(generation(), 2);
	assert_int_equal(commands[0], 2); /* that one knew */
	applied(bed_good);
	assert_int_equal(slot(1)->worker.snapshot_in_use, 3);
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

/* ---- confirmations, rollbacks, requests that come again ---- */

static const struct apply_result *ask(const struct apply_request *request)
{
	struct problem why;

	if (apply_submit(ctrl.apply, request, on_answer, NULL, &why))
		fail_msg("%s", why.text);
	bed_json_free();
	return wait_for(n_answers + 1);
}

static const struct apply_result *apply_for(const char *json, uint32_t confirm_s)
{
	const struct apply_request request = {
		.op = APPLY_CONFIG,
		.message = BED_CONFIG(json),
		.confirm_s = confirm_s,
	};

	return ask(&request);
}

static const struct apply_result *ask_op(enum apply_op op, uint64_t revision)
{
	return ask(&(struct apply_request){.op = op, .revision = revision});
}

static void goes_back_unless_confirmed(void **state)
{
	(void)state;
	applied(bed_good);
	assert_int_equal(apply_for("{}", 3)->problem.code, 0);
	assert_true(answers[1].confirm_by >= (uint64_t)time(NULL));
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 0);
	/* Nothing else meanwhile, but for trying. */
	assert_int_equal(apply(bed_good)->problem.code, PROBLEM_FAILED_PRECONDITION);
	submit(bed_good, true);
	assert_int_equal(wait_for(4)->problem.code, 0);
	wait_until(ctrl.model->revision == 3 && current()->virtual_servers.count == 1);
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 1);
	applied("{}");
	assert_int_equal(ctrl.model->revision, 4);
}

static void stays_when_confirmed(void **state)
{
	(void)state;
	applied(bed_good);
	assert_int_equal(apply_for("{}", 2)->problem.code, 0);
	assert_int_equal(ask_op(APPLY_CONFIRM, 1)->problem.code, PROBLEM_FAILED_PRECONDITION);
	assert_int_equal(ask_op(APPLY_CONFIRM, 2)->problem.code, 0);
	assert_int_equal(ask_op(APPLY_CONFIRM, 2)->problem.code, PROBLEM_FAILED_PRECONDITION);
	let_run(2500);
	assert_int_equal(ctrl.model->revision, 2);
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 0);
}

/* A daemon that ends while it waits, and comes back in time or too late. */
static void waits_across_a_restart(void **state)
{
	uint64_t late;

	(void)state;
	applied(bed_good);
	assert_int_equal(apply_for("{}", 5)->problem.code, 0);
	late = answers[1].confirm_by + 1;
	stop();
	start();
	let_run(100);
	assert_int_equal(ctrl.model->revision, 2);
	assert_int_equal(apply(bed_good)->problem.code, PROBLEM_FAILED_PRECONDITION);
	stop();
	while ((uint64_t)time(NULL) < late)
		sleep(1);
	start();
	wait_until(ctrl.model->revision == 3);
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 1);
}

static void nothing_to_go_back_to(void **state)
{
	(void)state;
	assert_int_equal(apply_for(bed_good, 1)->problem.code, PROBLEM_FAILED_PRECONDITION);
	assert_int_equal(ctrl.model->revision, 0);
	applied(bed_good);
}

static void rolls_back_to_any_revision(void **state)
{
	char etag[6][RESOURCE_ETAG_SIZE], now[RESOURCE_ETAG_SIZE], json[80];

	(void)state;
	applied(bed_good);
	model_etag(ctrl.model, etag[1]);
	for (int i = 2; i <= 5; i++) {
		snprintf(json, sizeof(json), "{'timeouts': {'udp': %d}}", i);
		applied(json);
		model_etag(ctrl.model, etag[i]);
	}
	for (uint64_t to = 5; to; to--) {
		assert_int_equal(ask_op(APPLY_ROLLBACK, to)->problem.code, 0);
		assert_string_equal(model_etag(ctrl.model, now), etag[to]);
	}
	assert_int_equal(ctrl.model->revision, 9); /* to 5 was no change */
	assert_int_equal(current()->virtual_servers.count, 1);
	assert_true(current()->content == ctrl.model->hash);
	assert_int_equal(ask_op(APPLY_ROLLBACK, 99)->problem.code, PROBLEM_NOT_FOUND);
	/* With an etag that is not the current one, nothing. */
	assert_int_equal(ask(&(struct apply_request){.op = APPLY_ROLLBACK,
						     .revision = 2,
						     .etag = "0123456789abcdef"})
				 ->problem.code,
			 PROBLEM_ABORTED);
	assert_int_equal(ctrl.model->revision, 9);
}

static unsigned int responded;

static uint8_t *respond(void *arg, const struct apply_result *result, size_t *len)
{
	char *text = NULL;

	(void)arg;
	responded++;
	*len = (size_t)asprintf(&text, "revision %d", (int)result->revision);
	return (uint8_t *)text;
}

static const struct apply_result *once(const char *json, const char *id, uint64_t digest)
{
	const struct apply_request request = {
		.op = APPLY_CONFIG,
		.message = BED_CONFIG(json),
		.request_id = id,
		.request_digest = digest,
		.respond = respond,
	};

	return ask(&request);
}

static void carried_out_once(void **state)
{
	(void)state;
	responded = 0;
	assert_null(once(bed_good, "a", 1)->response);
	assert_int_equal(ctrl.model->revision, 1);
	assert_null(once("{}", "b", 2)->response);
	assert_int_equal(ctrl.model->revision, 2);
	/* The first again: it is not carried out again, though it would change something. */
	stop();
	start();
	assert_non_null(once(bed_good, "a", 1)->response);
	assert_int_equal(ctrl.model->revision, 2);
	assert_int_equal(responded, 2);
	assert_int_equal(once(bed_good, "a", 9)->problem.code, PROBLEM_INVALID_ARGUMENT);
	/* One that changed nothing is remembered, too. */
	assert_null(once("{}", "c", 3)->response);
	applied(bed_good);
	assert_non_null(once("{}", "c", 3)->response);
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 1);
	/* One that failed is not. */
	assert_int_equal(once("{'interfaces': [{'name': 'moon'}]}", "d", 4)->problem.code,
			 PROBLEM_FAILED_PRECONDITION);
	assert_int_equal(once("{'interfaces': [{'name': 'moon'}]}", "d", 4)->problem.code,
			 PROBLEM_FAILED_PRECONDITION);
}

static void merges_when_told_so(void **state)
{
	struct apply_request request = {
		.op = APPLY_CONFIG,
		.merge = true,
	};
	const struct apply_result *result;

	(void)state;
	applied(bed_good);
	request.message = BED_CONFIG("{'backendPools': [{'name': 'web', 'backends': [{'name': "
				     "'web-2', 'address': '198.51.100.109', 'port': 1}]},"
				     "{'name': 'new'}], 'timeouts': {'udp': 7}}");
	result = ask(&request);
	assert_int_equal(result->problem.code, 0);
	assert_int_equal(result->created, 2); /* the pool, the timeouts */
	assert_int_equal(result->updated, 1);
	assert_int_equal(result->deleted, 0);
	assert_int_equal(ctrl.model->count[RESOURCE_BACKEND], 2);
	assert_int_equal(ctrl.model->count[RESOURCE_VIRTUAL_SERVER], 1);
}

static void updates_what_the_mask_names(void **state)
{
	struct apply_request request = {
		.op = APPLY_UPDATE,
		.kind = RESOURCE_BACKEND,
		.pool = "web",
		.mask = "weight",
	};
	const struct resource *r;

	(void)state;
	applied(bed_good);
	request.message =
		bed_json(&sluice__v1__backend__descriptor, "{'name': 'web-1', 'weight': 0}");
	assert_int_equal(ask(&request)->problem.code, 0);
	r = model_find(ctrl.model, RESOURCE_BACKEND, "web/web-1");
	assert_int_equal(r->backend.weight, 0);
	assert_int_equal(r->backend.port, htons(80));
	request.mask = "weight,etag";
	request.message = bed_json(&sluice__v1__backend__descriptor, "{'name': 'web-1'}");
	assert_int_equal(ask(&request)->problem.code, PROBLEM_INVALID_ARGUMENT);
	/* A pool's mask that does not name its backends leaves them. */
	request = (struct apply_request){
		.op = APPLY_UPDATE,
		.kind = RESOURCE_BACKEND_POOL,
		.mask = "backends",
		.message = bed_json(&sluice__v1__backend_pool__descriptor, "{'name': 'web'}"),
	};
	assert_int_equal(ask(&request)->problem.code, 0);
	assert_int_equal(ctrl.model->count[RESOURCE_BACKEND], 0);
	request.message = bed_json(&sluice__v1__backend_pool__descriptor, "{'name': 'none'}");
	assert_int_equal(ask(&request)->problem.code, PROBLEM_NOT_FOUND);
}

/* Written by the time that the daemon ends; a revision's own with it. */
static void calls_are_written_down(void **state)
{
	const struct store_audit entry = {
		.time = 1700000000000,
		.caller = "somebody",
		.method = "WorkerService/RestartWorker",
		.code = PROBLEM_PERMISSION_DENIED,
		.message = "no",
	};
	struct apply_request request = {
		.op = APPLY_CONFIG, .author = "me", .source = "here", .method = "Apply"};

	(void)state;
	request.message = BED_CONFIG(bed_good);
	assert_true(ask(&request)->recorded);
	for (int i = 0; i < 3000; i++)
		apply_audit(ctrl.apply, &entry);
	stop();
	start();
	assert_int_equal(
		number("SELECT count(*) FROM audit WHERE method = 'Apply' AND revision = 1 "
		       "AND caller = 'me' AND source = 'here' AND code = 0"),
		1);
	/* More than fit: counted. */
	assert_in_range(number("SELECT count(*) FROM audit WHERE caller = 'somebody' AND code = 7"),
			1000, 2999);
	assert_int_equal(number("SELECT count(*) FROM audit WHERE method = 'audit' AND message "
				"LIKE '%were too many%'"),
			 1);
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
		T(the_primary_dies_while_it_reads_a_snapshot),
		T(requests_are_carried_out_in_order),
		T(restarted_without_a_difference),
		T(published_again_on_a_fresh_arena),
		T(published_when_the_store_is_ahead),
		T(caught_up_is_told_when_it_is_so),
		T(told_by_the_next_one),
		T(a_lost_database),
		T(ended_with_requests_waiting),
		T(goes_back_unless_confirmed),
		T(stays_when_confirmed),
		T(waits_across_a_restart),
		T(nothing_to_go_back_to),
		T(rolls_back_to_any_revision),
		T(carried_out_once),
		T(merges_when_told_so),
		T(updates_what_the_mask_names),
		T(calls_are_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
