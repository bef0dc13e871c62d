/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hundred thousand backends: what a whole configuration and one changed weight cost, part by
 * part, in CPU time. The figures are printed; the bounds are far above them, so that only a change
 * of kind fails (a copy per server, a scan per backend), not a busy machine.
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

#include "ctrl/compile.h"
#include "ctrl/commands.h"
#include "ctrl/ctrl.h"
#include "ctrl/store.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "tests/unit/lib/ctrl_bed.h"

#define SERVERS  10000
#define BACKENDS 10 /* of each */
#define HALF     (64u << 20)

static struct sl_root *root;
static struct model *model;
static struct compiler *compiler;
static struct problem why;
static struct timespec began;

static void begin(void)
{
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
}

static double end(const char *what)
{
	struct timespec now;
	double ms;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	ms = (double)(now.tv_sec - began.tv_sec) * 1e3 +
	     (double)(now.tv_nsec - began.tv_nsec) / 1e6;
	print_message("# %-28s %8.2f ms\n", what, ms);
	return ms;
}

static void make_half(int i)
{
	free(root->arena.half[i]);
	root->arena.half[i] = aligned_alloc(64, HALF);
	memset(root->arena.half[i], 0, HALF);
}

static int set_up(void **state)
{
	(void)state;
	root = bed_root_new();
	root->max_virtual_servers = SERVERS;
	root->max_backends = SERVERS * BACKENDS;
	root->arena.half_size = HALF;
	make_half(0);
	make_half(1);
	model = model_new(root);
	compiler = compiler_new(model);
	return compiler ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	compiler_free(compiler);
	model_free(model);
	bed_root_free(root);
	bed_json_free();
	return 0;
}

/* No two pools have the same weights in the same order. */
static int weight_of(int pool, int backend)
{
	for (; backend; backend--)
		pool /= 4;
	return 1 + pool % 4;
}

static char *write_config(void)
{
	size_t room = 32u << 20, n = 0;
	char *json = malloc(room);

#define ADD(...) n += snprintf(json + n, room - n, __VA_ARGS__)
	ADD("{'interfaces': [{'name': 'wan', 'addresses': ['192.0.2.1/24']},"
	    "{'name': 'lan', 'addresses': ['10.0.0.1/8']}],"
	    "'localAddressPools': [{'name': 'lan', 'addresses': ['10.0.0.10']}],"
	    "'backendPools': [");
	for (int p = 0; p < SERVERS; p++) {
		ADD("%s{'name': 'pool-%05d', 'backends': [", p ? "," : "", p);
		for (int b = 0; b < BACKENDS; b++)
			ADD("%s{'name': 'backend-%d', 'address': '10.%d.%d.%d', 'port': 80,"
			    " 'weight': %d}",
			    b ? "," : "", b, 1 + p / 100, p % 100, 1 + b, weight_of(p, b));
		ADD("]}");
	}
	ADD("], 'virtualServers': [");
	for (int s = 0; s < SERVERS; s++)
		ADD("%s{'name': 'server-%05d', 'address': '172.16.%d.%d', 'port': 80,"
		    " 'protocol': 'tcp', 'backendPool': 'pool-%05d', 'localAddressPool': 'lan'}",
		    s ? "," : "", s, s / 200, 1 + s % 200, s);
	ADD("]}");
#undef ADD
	return json;
}

/* As ctrl/transaction.c does it. Milliseconds to check and compile. */
static double apply(const struct apply_request *request)
{
	static unsigned int half;
	struct compile_target target = {
		.out = root->arena.half[half & 1],
		.room = HALF,
		.generation = 2,
		.revision = model->revision + 1,
		.previous = half ? root->arena.half[!(half & 1)] : NULL,
	};
	struct change_set set;
	double ms = 0;

	half++;
	begin();
	if (change_resolve(&set, model, request, &why))
		fail_msg("%s", why.text);
	ms += end("resolve");
	begin();
	assert_int_equal(change_enter(&set, &why), 0);
	ms += end("enter");
	begin();
	if (compile(compiler, &target, &why))
		fail_msg("%s", why.text);
	ms += end("compile");
	begin();
	change_leave(&set);
	end("leave");
	begin();
	assert_int_equal(change_enter(&set, &why), 0);
	compile_keep(compiler);
	change_settle(&set, model->revision + 1);
	end("enter, settle");
	change_free(&set);
	print_message("# checked and compiled in %.1f ms, %u KiB\n", ms, target.out->size / 1024);
	return ms;
}

static const ProtobufCMessage *decode_config(void)
{
	char *json = write_config();
	const ProtobufCMessage *config;

	begin();
	config = BED_CONFIG(json);
	end("decode JSON");
	free(json);
	return config;
}

static void hundred_thousand_backends(void **state)
{
	const struct apply_request whole = {.op = APPLY_CONFIG, .message = decode_config()};
	struct apply_request weight = {
		.op = APPLY_UPDATE,
		.kind = RESOURCE_BACKEND,
		.pool = "pool-05000",
	};

	(void)state;
	print_message("# the whole\n");
	assert_true(apply(&whole) < 3000);
	assert_int_equal(model->count[RESOURCE_BACKEND], SERVERS * BACKENDS);
	print_message("# the whole again: nothing changes\n");
	assert_true(apply(&whole) < 3000);
	for (int i = 0; i < 3; i++) {
		char json[128];

		snprintf(json, sizeof(json),
			 "{'name': 'backend-3', 'address': '10.51.0.4', 'port': 80, 'weight': %d}",
			 50 + i);
		weight.message = bed_json(&sluice__v1__backend__descriptor, json);
		print_message("# one weight\n");
		assert_true(apply(&weight) < 100);
	}
}

/* ---- the whole transaction, on an event loop and a database ---- */

static struct event_base *base;

/* ms by the wall's clock, request to answer; of CPU time likewise; and between two turns of the
 * loop */
static double answered_ms, answered_cpu_ms, longest_ms;
static double asked, asked_cpu, last_turn;

static double ms_by(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	double ms = ms_by(CLOCK_THREAD_CPUTIME_ID) - last_turn;

	(void)fd;
	(void)what;
	(void)arg;
	longest_ms = ms > longest_ms ? ms : longest_ms;
	last_turn = ms_by(CLOCK_THREAD_CPUTIME_ID);
}

static void on_answer(void *arg, const struct apply_result *result)
{
	(void)arg;
	answered_ms = ms_by(CLOCK_MONOTONIC) - asked;
	answered_cpu_ms = ms_by(CLOCK_PROCESS_CPUTIME_ID) - asked_cpu;
	if (result->problem.code)
		fail_msg("%s", result->problem.text);
	event_base_loopbreak(base);
}

static void transact(struct apply *a, const struct apply_request *request, const char *what)
{
	longest_ms = 0;
	asked = ms_by(CLOCK_MONOTONIC);
	asked_cpu = ms_by(CLOCK_PROCESS_CPUTIME_ID);
	last_turn = ms_by(CLOCK_THREAD_CPUTIME_ID);
	assert_int_equal(apply_submit(a, request, on_answer, NULL, &why), 0);
	event_base_dispatch(base);
	on_turn(-1, 0, NULL);
	print_message("# %s: answered after %.1f ms, %.1f ms of CPU; others waited for %.1f ms of "
		      "it at most\n",
		      what, answered_ms, answered_cpu_ms, longest_ms);
}

/* Nobody who only asks waits for somebody's hundred thousand backends. */
static void others_go_on(void **state)
{
	const struct apply_request whole = {.op = APPLY_CONFIG, .message = decode_config()};
	struct apply_request weight = {
		.op = APPLY_UPDATE,
		.kind = RESOURCE_BACKEND,
		.pool = "pool-05000",
		.message = bed_json(&sluice__v1__backend__descriptor,
				    "{'name': 'backend-3', 'address': '10.51.0.4', 'port': 80}"),
	};
	const struct timeval often = {0, 1000};
	struct ctrl ctrl = {.root = root};
	char directory[] = "/tmp/sluice-test-scale-XXXXXX", path[64];
	struct store *store;
	struct event *turn;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/sluice.db", directory);
	ctrl.base = base = event_base_new();
	store = store_open(path, root, &ctrl.model, &why);
	assert_non_null(store);
	ctrl.commands = commands_new(root);
	ctrl.apply = apply_new(&ctrl, store);
	turn = event_new(base, -1, EV_PERSIST, on_turn, NULL);
	event_add(turn, &often);

	transact(ctrl.apply, &whole, "the whole");
	assert_true(longest_ms < 500);
	transact(ctrl.apply, &weight, "one weight");
	assert_true(answered_cpu_ms < 200);

	apply_free(ctrl.apply);
	commands_free(ctrl.commands);
	event_free(turn);
	event_base_free(base);
	model_free(ctrl.model);
	store_close(store);
	assert_int_equal(bed_remove(directory), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(hundred_thousand_backends),
		T(others_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
