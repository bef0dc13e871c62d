/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A compiler that has seen everything before makes the bytes, and gives the reasons, of one that
 * sees the configuration for the first time. Random changes, good and bad, kept or only tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lib/ctrl_bed.h"

#define ROUNDS 6000

static struct sl_root *root;
static struct model *model;
static struct compiler *compiler;
static struct sl_snapshot *kept, *fresh, *previous;

/* Names one of which begins another, for they sort differently with "/backend" behind. */
static const char *const pools[] = {"p", "p-1", "p-10", "p0", "q", "q-z"};
static char text[4096];

static int set_up(void **state)
{
	(void)state;
	root = bed_root_new();
	model = model_new(root);
	compiler = compiler_new(model);
	kept = root->arena.half[0];
	fresh = root->arena.half[1];
	previous = calloc(1, BED_HALF);
	srandom(7);
	return model && compiler && previous ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	compiler_free(compiler);
	model_free(model);
	bed_root_free(root);
	bed_json_free();
	free(previous);
	return 0;
}

static int below(int n)
{
	return (int)(random() % n);
}

static size_t put_backend(char *to, size_t room, int i)
{
	static const int weights[] = {0, 1, 1, 1, 2, 3, 6, 65535};

	return snprintf(to, room,
			"{'name': 'b%d', 'address': '198.51.%d.%d', 'port': %d, 'weight': %d}", i,
			below(20) ? 100 : 101, 100 + (below(8) ? i : below(12)), 80 + below(2),
			weights[below(40) ? below(7) : 7]);
}

static const char *a_pool(const char *name)
{
	size_t n = snprintf(text, sizeof(text), "{'name': '%s', 'backends': [", name);

	for (int i = 0, any = 0; i < 8; i++) {
		if (below(2))
			continue;
		n += snprintf(text + n, sizeof(text) - n, "%s", any++ ? "," : "");
		n += put_backend(text + n, sizeof(text) - n, i);
	}
	snprintf(text + n, sizeof(text) - n, "]}");
	return text;
}

static const char *a_server(int i)
{
	snprintf(text, sizeof(text),
		 "{'name': 'v%d', 'address': '192.0.2.%d', 'port': %d, 'protocol': '%s',"
		 " 'scheduler': '%s', 'backendPool': '%s', 'localAddressPool': 'l%d'}",
		 i, 80 + below(30), 80 + below(3), below(2) ? "tcp" : "udp",
		 below(3) ? "wrr" : "rr", pools[below(6)], below(2));
	return text;
}

static const char *a_local(int i)
{
	snprintf(text, sizeof(text), "{'name': 'l%d', 'addresses': ['198.51.100.%d', '10.0.0.%d']}",
		 i, below(10) ? 10 + i : 100 + below(10), 1 + below(4) + 4 * i);
	return text;
}

static const char *a_route(int i)
{
	static const char *const to[] = {"0.0.0.0/0", "198.51.101.0/24", "198.51.100.96/28"};

	if (below(3))
		snprintf(text, sizeof(text),
			 "{'name': 'r%d', 'prefix': '%s', 'gateway': '192.0.2.%d'}", i,
			 to[below(20) ? i % 2 : 2], 80 + below(60));
	else
		snprintf(text, sizeof(text), "{'name': 'r%d', 'prefix': '%s', 'blackhole': true}",
			 i, to[below(20) ? i % 2 : 2]);
	return text;
}

static const char *an_interface(bool wan)
{
	if (wan)
		snprintf(text, sizeof(text), "{'name': 'wan', 'addresses': ['192.0.2.%d/24']}",
			 1 + below(3));
	else
		snprintf(text, sizeof(text), "{'name': 'lan', 'addresses': ['198.51.100.%d/24'%s]}",
			 1 + below(5), below(2) ? ", '198.51.101.1/24'" : "");
	return text;
}

/* One of the standard methods, on anything. */
static struct apply_request one(void)
{
	static const enum apply_op ops[] = {APPLY_CREATE, APPLY_UPDATE, APPLY_UPDATE, APPLY_DELETE};
	static char name[16];
	struct apply_request q = {.op = ops[below(4)], .name = name};
	const char *json;
	int kind = below(20), i = below(2);

	if (kind < 9) {
		q.kind = RESOURCE_BACKEND;
		q.pool = pools[below(6)];
		i = below(8);
		snprintf(name, sizeof(name), "b%d", i);
		put_backend(text, sizeof(text), i);
		json = text;
	} else if (kind < 12) {
		q.kind = RESOURCE_BACKEND_POOL;
		q.name = pools[below(6)];
		json = a_pool(q.name);
	} else if (kind < 16) {
		q.kind = RESOURCE_VIRTUAL_SERVER;
		i = below(6);
		snprintf(name, sizeof(name), "v%d", i);
		json = a_server(i);
	} else if (kind < 17) {
		q.kind = RESOURCE_LOCAL_ADDRESS_POOL;
		snprintf(name, sizeof(name), "l%d", i);
		json = a_local(i);
	} else if (kind < 19) {
		q.kind = RESOURCE_ROUTE;
		snprintf(name, sizeof(name), "r%d", i);
		json = a_route(i);
	} else {
		q.kind = RESOURCE_INTERFACE;
		q.op = APPLY_UPDATE;
		json = an_interface(i);
	}
	if (q.op != APPLY_DELETE)
		q.message = bed_json(resource_descriptor(q.kind), json);
	return q;
}

/* Everything at once. */
static struct apply_request whole(void)
{
	struct apply_request q = {.op = APPLY_CONFIG};
	static char json[16384];
	size_t n = snprintf(json, sizeof(json), "{'interfaces': [%s,", an_interface(true));

#define ADD(...) n += snprintf(json + n, sizeof(json) - n, __VA_ARGS__)
	ADD("%s], 'localAddressPools': [%s,", an_interface(false), a_local(0));
	ADD("%s], 'backendPools': [", a_local(1));
	for (int p = 0; p < 6; p++)
		ADD("%s%s", p ? "," : "", a_pool(pools[p]));
	ADD("], 'virtualServers': [%s", a_server(0));
	for (int i = 1; i < 6; i++)
		if (below(2))
			ADD(",%s", a_server(i));
	ADD("], 'timeouts': {'udp': %d}}", 1 + below(100));
#undef ADD
	q.message = BED_CONFIG(json);
	return q;
}

static bool compare(void)
{
	struct compile_target target = {.room = BED_HALF, .generation = 3, .revision = 4};
	struct problem one = {.code = PROBLEM_NONE}, other = {.code = PROBLEM_NONE};
	int rc;

	target.previous = previous->magic ? previous : NULL;
	target.out = kept;
	rc = compile(compiler, &target, &one);
	target.out = fresh;
	assert_int_equal(bed_compile(model, &target, &other), rc);
	assert_int_equal(one.code, other.code);
	if (rc) {
		assert_string_equal(one.text, other.text);
		return false;
	}
	assert_int_equal(kept->size, fresh->size);
	assert_memory_equal(kept, fresh, fresh->size);
	return true;
}

static void random_changes(void **state)
{
	unsigned int good = 0, bad = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct apply_request q = below(20) ? one() : whole();
		struct change_set set;
		struct problem why;

		if (!change_resolve(&set, model, &q, &why) && !change_enter(&set, &why)) {
			bool compiles = compare();

			*(compiles ? &good : &bad) += 1;
			if (!compiles || !below(5)) {
				change_leave(&set);
				if (below(2)) /* else it sees both at the next change */
					assert_true(model->revision == 0 || compare());
			} else {
				memcpy(previous, fresh, fresh->size);
				if (below(2)) { /* as around a commit */
					change_leave(&set);
					assert_int_equal(change_enter(&set, &why), 0);
					compile_keep(compiler);
				}
				change_settle(&set, model->revision + 1);
			}
		}
		change_free(&set);
		bed_json_free();
	}
	print_message("# %u compiled, %u refused\n", good, bad);
	/* Both have to come often, or the changes say nothing. */
	assert_in_range(good, ROUNDS / 10, ROUNDS);
	assert_in_range(bad, ROUNDS / 20, ROUNDS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(random_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
