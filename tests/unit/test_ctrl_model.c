/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration in memory: order, etags, stable ids, and changes that leave no trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"
#include "tests/unit/lib/ctrl_bed.h"

static struct sl_root *root;
static struct model *model;
static struct problem why;

static int set_up(void **state)
{
	(void)state;
	root = bed_root_new();
	model = model_new(root);
	return model ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	model_free(model);
	bed_root_free(root);
	bed_json_free();
	return 0;
}

static enum problem_code put(enum apply_op op, enum resource_kind kind, const char *pool,
			     const char *json)
{
	const struct apply_request request = {
		.op = op,
		.kind = kind,
		.pool = pool,
		.message = bed_json(resource_descriptor(kind), json),
	};

	return bed_try(model, &request, NULL, &why);
}

static enum problem_code delete (enum resource_kind kind, const char *pool, const char *name,
				 const char *etag) {
	const struct apply_request request =
		{.op = APPLY_DELETE, .kind = kind, .pool = pool, .name = name, .etag = etag};

	return bed_try(model, &request, NULL, &why);
}

static void apply_good(void)
{
	if (bed_config(model, bed_good, NULL, &why))
		fail_msg("%s", why.text);
}

static void ports_have_interfaces(void **state)
{
	const struct resource *r = model_after(model, RESOURCE_INTERFACE, "");

	(void)state;
	assert_string_equal(r->name, "lan");
	r = model_next(r);
	assert_string_equal(r->name, "wan");
	assert_null(model_next(r));
	assert_int_equal(r->interface.n, 0);
}

static void config_is_taken_apart(void **state)
{
	const struct resource *r;
	const Sluice__V1__Backend *b;
	const Sluice__V1__VirtualServer *v;

	(void)state;
	apply_good();
	assert_int_equal(model->count[RESOURCE_BACKEND], 2);
	r = model_find(model, RESOURCE_BACKEND, "web/web-2");
	assert_non_null(r);
	b = (const void *)r->message;
	assert_int_equal(b->weight, 1); /* the default is filled in */
	assert_string_equal(b->etag, r->etag);
	r = model_find(model, RESOURCE_VIRTUAL_SERVER, "web");
	v = (const void *)r->message;
	assert_int_equal(v->scheduler, SLUICE__V1__SCHEDULER__SCHEDULER_WRR);
	r = model_find(model, RESOURCE_BACKEND_POOL, "web");
	assert_int_equal(((const Sluice__V1__BackendPool *)r->message)->forwarding_mode,
			 SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_FULLNAT);
	assert_int_equal(((const Sluice__V1__BackendPool *)r->message)->n_backends, 0);
	assert_int_equal(r->revision, 1);
	assert_int_equal(model->revision, 1);
	assert_null(model_find(model, RESOURCE_BACKEND, "web"));
}

/* Pool names of which one is the beginning of another, and '-' sorts before '/'. */
static void pools_keep_apart(void **state)
{
	static const char *const pools[] = {"a", "a-b", "ab", "b"};
	char json[200];

	(void)state;
	for (int i = 0; i < 3; i++) {
		snprintf(json, sizeof(json),
			 "{'name': '%s', 'backends': ["
			 "{'name': 'z', 'address': '198.51.100.1', 'port': %d},"
			 "{'name': 'x', 'address': '198.51.100.2', 'port': %d}]}",
			 pools[i], 80 + i, 80 + i);
		assert_int_equal(put(APPLY_CREATE, RESOURCE_BACKEND_POOL, NULL, json), 0);
	}
	for (int i = 0; i < 3; i++) {
		const struct resource *b = model_backends(model, pools[i]);
		char name[16];

		snprintf(name, sizeof(name), "%s/x", pools[i]);
		assert_string_equal(b->name, name);
		b = model_next_backend(b);
		snprintf(name, sizeof(name), "%s/z", pools[i]);
		assert_string_equal(b->name, name);
		assert_null(model_next_backend(b));
	}
	assert_null(model_backends(model, pools[3]));
}

static void iteration_is_sorted_and_resumes(void **state)
{
	const struct resource *r;
	char json[80], last[80] = "";
	int n = 0;

	(void)state;
	/* Some out of order, some in order in front of others and behind all. */
	for (int i = 0; i < 60; i++) {
		int number = i < 20 ? i * 37 % 20 * 3 : (i - 20) / 2 * 3 + 1 + i % 2;

		snprintf(json, sizeof(json), "{'name': 'p%02d'}", number);
		assert_int_equal(put(APPLY_CREATE, RESOURCE_BACKEND_POOL, NULL, json), 0);
	}
	while ((r = model_after(model, RESOURCE_BACKEND_POOL, last))) {
		assert_true(strcmp(last, r->name) < 0);
		strcpy(last, r->name);
		n++;
	}
	assert_int_equal(n, 60);
	/* From a name that is not there, too. */
	assert_string_equal(model_after(model, RESOURCE_BACKEND_POOL, "p10a")->name, "p11");
}

static void create_update_delete_say_what_is_there(void **state)
{
	(void)state;
	assert_int_equal(put(APPLY_UPDATE, RESOURCE_BACKEND_POOL, NULL, "{'name': 'a'}"),
			 PROBLEM_NOT_FOUND);
	assert_int_equal(put(APPLY_CREATE, RESOURCE_BACKEND_POOL, NULL, "{'name': 'a'}"), 0);
	assert_int_equal(put(APPLY_CREATE, RESOURCE_BACKEND_POOL, NULL, "{'name': 'a'}"),
			 PROBLEM_ALREADY_EXISTS);
	assert_int_equal(put(APPLY_CREATE, RESOURCE_BACKEND, "b",
			     "{'name': 'x', 'address': '192.0.2.5', 'port': 1}"),
			 PROBLEM_NOT_FOUND);
	assert_string_equal(why.text, "backend_pools[b]: does not exist");
	assert_int_equal(delete (RESOURCE_BACKEND, "a", "x", NULL), PROBLEM_NOT_FOUND);
	assert_int_equal(delete (RESOURCE_BACKEND_POOL, NULL, "a", NULL), 0);
	assert_int_equal(delete (RESOURCE_BACKEND_POOL, NULL, "a", NULL), PROBLEM_NOT_FOUND);
}

static void etags_are_compared(void **state)
{
	char etag[RESOURCE_ETAG_SIZE], before[RESOURCE_ETAG_SIZE], json[200];
	const struct resource *pool;

	(void)state;
	apply_good();
	pool = model_find(model, RESOURCE_BACKEND_POOL, "web");
	model_pool_etag(model, pool, before);
	snprintf(json, sizeof(json),
		 "{'name': 'web-2', 'address': '198.51.100.102', 'port': 80, 'weight': 7,"
		 " 'etag': '%s'}",
		 model_find(model, RESOURCE_BACKEND, "web/web-2")->etag);
	assert_int_equal(put(APPLY_UPDATE, RESOURCE_BACKEND, "web", json), 0);
	/* The same again: somebody changed it meanwhile. */
	assert_int_equal(put(APPLY_UPDATE, RESOURCE_BACKEND, "web", json), PROBLEM_ABORTED);
	assert_non_null(strstr(why.text, "backend_pools[web].backends[web-2].etag"));
	/* A pool's etag changes with its backends'. */
	model_pool_etag(model, pool, etag);
	assert_string_not_equal(etag, before);
	assert_int_equal(delete (RESOURCE_BACKEND_POOL, NULL, "web", before), PROBLEM_ABORTED);
	model_etag(model, etag);
	snprintf(json, sizeof(json), "{'etag': '%s'}", before);
	assert_int_equal(bed_config(model, json, NULL, &why), PROBLEM_ABORTED);
	snprintf(json, sizeof(json), "{'etag': '%s'}", etag);
	assert_int_equal(bed_config(model, json, NULL, &why), 0);
	assert_int_equal(model->count[RESOURCE_VIRTUAL_SERVER], 0);
	assert_int_equal(model->count[RESOURCE_INTERFACE], 2); /* cleared, still there */
}

static void nested_etags_in_a_config(void **state)
{
	(void)state;
	apply_good();
	assert_int_equal(
		bed_config(model, "{'backendPools': [{'name': 'web', 'etag': 'no'}]}", NULL, &why),
		PROBLEM_ABORTED);
	assert_non_null(strstr(why.text, "backend_pools[web].etag"));
	assert_int_equal(
		bed_config(model, "{'backendPools': [{'name': 'new', 'etag': 'no'}]}", NULL, &why),
		PROBLEM_ABORTED);
}

static void same_config_changes_nothing(void **state)
{
	struct change_set set;
	struct apply_request request = {.op = APPLY_CONFIG, .message = BED_CONFIG(bed_good)};

	(void)state;
	apply_good();
	assert_int_equal(change_resolve(&set, model, &request, &why), 0);
	assert_int_equal(set.n, 0);
	change_free(&set);
}

/* One weight is one change, whatever is around it. */
static void update_of_a_pool_is_a_difference(void **state)
{
	struct change_set set;
	struct apply_request request = {
		.op = APPLY_UPDATE,
		.kind = RESOURCE_BACKEND_POOL,
		.message = bed_json(&sluice__v1__backend_pool__descriptor,
				    "{'name': 'web', 'backends': ["
				    "{'name': 'web-3', 'address': '198.51.100.103', 'port': 80},"
				    "{'name': 'web-1', 'address': '198.51.100.101', 'port': 80,"
				    " 'weight': 2}]}"),
	};

	(void)state;
	apply_good();
	assert_int_equal(change_resolve(&set, model, &request, &why), 0);
	assert_int_equal(set.created, 1);
	assert_int_equal(set.updated, 0);
	assert_int_equal(set.deleted, 1);
	change_free(&set);
}

static void names_twice_are_refused(void **state)
{
	(void)state;
	assert_int_equal(
		bed_config(model, "{'backendPools': [{'name': 'a'}, {'name': 'a'}]}", NULL, &why),
		PROBLEM_INVALID_ARGUMENT);
	assert_string_equal(why.text, "backend_pools[a]: is there twice");
	assert_int_equal(put(APPLY_CREATE, RESOURCE_BACKEND_POOL, NULL,
			     "{'name': 'a', 'backends': ["
			     "{'name': 'x', 'address': '192.0.2.5', 'port': 1},"
			     "{'name': 'x', 'address': '192.0.2.6', 'port': 1}]}"),
			 PROBLEM_INVALID_ARGUMENT);
	assert_int_equal(model->count[RESOURCE_BACKEND_POOL], 0);
}

static uint32_t ref_of(enum resource_kind kind, const char *name)
{
	return model_find(model, kind, name)->ref;
}

static void ids_are_stable_and_generations_tell(void **state)
{
	uint32_t first, server;

	(void)state;
	apply_good();
	first = ref_of(RESOURCE_BACKEND, "web/web-1");
	server = ref_of(RESOURCE_VIRTUAL_SERVER, "web");
	assert_string_equal(model_name(model, IDS_BACKEND, first), "web/web-1");
	/* Another weight: the same backend. */
	assert_int_equal(put(APPLY_UPDATE, RESOURCE_BACKEND, "web",
			     "{'name': 'web-1', 'address': '198.51.100.101', 'port': 80}"),
			 0);
	assert_int_equal(ref_of(RESOURCE_BACKEND, "web/web-1"), first);
	/* Deleted and created again: another one, of the same id. */
	assert_int_equal(delete (RESOURCE_BACKEND, "web", "web-1", NULL), 0);
	assert_null(model_name(model, IDS_BACKEND, first));
	assert_int_equal(put(APPLY_CREATE, RESOURCE_BACKEND, "web",
			     "{'name': 'web-9', 'address': '198.51.100.109', 'port': 80}"),
			 0);
	assert_int_equal(SL_REF_ID(ref_of(RESOURCE_BACKEND, "web/web-9")), SL_REF_ID(first));
	assert_int_not_equal(ref_of(RESOURCE_BACKEND, "web/web-9"), first);
	assert_null(model_name(model, IDS_BACKEND, first));
	assert_int_equal(ref_of(RESOURCE_VIRTUAL_SERVER, "web"), server);
	assert_null(model_name(model, IDS_BACKEND, SL_REF_NONE));
}

static void local_addresses_keep_their_ids(void **state)
{
	const struct resource *pool;
	uint32_t ten;

	(void)state;
	apply_good();
	pool = model_find(model, RESOURCE_LOCAL_ADDRESS_POOL, "lan");
	ten = pool->local.ref[0];
	assert_int_equal(put(APPLY_UPDATE, RESOURCE_LOCAL_ADDRESS_POOL, NULL,
			     "{'name': 'lan', 'addresses': ['198.51.100.12', '198.51.100.10']}"),
			 0);
	pool = model_find(model, RESOURCE_LOCAL_ADDRESS_POOL, "lan");
	assert_int_equal(pool->local.ref[1], ten);
	assert_string_equal(model_name(model, IDS_LOCAL_ADDRESS, ten), "198.51.100.10");
	/* Gone and back, with another before it: the id that it had, not the lowest. */
	assert_int_equal(put(APPLY_UPDATE, RESOURCE_LOCAL_ADDRESS_POOL, NULL,
			     "{'name': 'lan', 'addresses': ['198.51.100.12']}"),
			 0);
	assert_int_equal(put(APPLY_UPDATE, RESOURCE_LOCAL_ADDRESS_POOL, NULL,
			     "{'name': 'lan', 'addresses': ['198.51.100.11', '198.51.100.10']}"),
			 0);
	pool = model_find(model, RESOURCE_LOCAL_ADDRESS_POOL, "lan");
	assert_int_equal(SL_REF_ID(pool->local.ref[1]), SL_REF_ID(ten));
	assert_int_not_equal(pool->local.ref[1], ten);
}

/* Each of them is tried and refused as the last step: nothing may differ afterwards. */
static void refused_changes_leave_no_trace(void **state)
{
	static const char *const bad[] = {
		"{}", /* of the good configuration: accepted, and put back below */
		"{'virtualServers': [{'name': 'web', 'address': '192.0.2.80', 'port': 80,"
		" 'protocol': 'tcp', 'backendPool': 'gone', 'localAddressPool': 'gone'}]}",
		"{'backendPools': [{'name': 'web'}], 'interfaces': [{'name': 'moon'}]}",
	};
	char before[RESOURCE_ETAG_SIZE], after[RESOURCE_ETAG_SIZE];
	uint32_t ref, generation = 0;

	(void)state;
	apply_good();
	model_etag(model, before);
	ref = ref_of(RESOURCE_BACKEND, "web/web-1");
	for (int i = 1; i < 300; i++)
		assert_int_not_equal(bed_config(model, bad[1 + i % 2], NULL, &why), 0);
	model_etag(model, after);
	assert_string_equal(after, before);
	assert_int_equal(ref_of(RESOURCE_BACKEND, "web/web-1"), ref);
	assert_string_equal(model_name(model, IDS_BACKEND, ref), "web/web-1");
	/* Generations that were only tried are not used up: the next is the next. */
	assert_int_equal(bed_config(model, bad[0], NULL, &why), 0);
	apply_good();
	generation = SL_REF_GENERATION(ref_of(RESOURCE_BACKEND, "web/web-1"));
	assert_int_equal(generation, SL_REF_GENERATION(ref) + 1);
}

static void limits_are_named(void **state)
{
	char json[8192] = "{'backendPools': [{'name': 'a', 'backends': [", item[120];

	(void)state;
	root->max_backends = 20;
	model_free(model);
	model = model_new(root);
	for (int i = 0; i < 21; i++) {
		snprintf(item, sizeof(item),
			 "%s{'name': 'b%d', 'address': '192.0.2.%d', 'port': 1}", i ? "," : "", i,
			 i + 1);
		strcat(json, item);
	}
	strcat(json, "]}]}");
	assert_int_equal(bed_config(model, json, NULL, &why), PROBLEM_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(why.text, "limits: backends: 20"));
	assert_int_equal(model->count[RESOURCE_BACKEND], 0);
	assert_int_equal(model->count[RESOURCE_BACKEND_POOL], 0);
}

/* A full house is replaced by another in one change: freed ids are there for it. */
static void replacing_all_at_the_limit(void **state)
{
	char json[2][4096], item[80];
	const struct resource *r;

	(void)state;
	root->max_backends = 20;
	model_free(model);
	model = model_new(root);
	for (int k = 0; k < 2; k++) {
		strcpy(json[k], "{'backendPools': [{'name': 'a', 'backends': [");
		for (int i = 0; i < 20; i++) {
			snprintf(item, sizeof(item),
				 "%s{'name': '%c%d', 'address': '192.0.2.%d', 'port': 1}",
				 i ? "," : "", 'x' - k, i, i + 1);
			strcat(json[k], item);
		}
		strcat(json[k], "]}]}");
	}
	for (int round = 0; round < 6; round++)
		assert_int_equal(bed_config(model, json[round % 2], NULL, &why), 0);
	for (r = model_after(model, RESOURCE_BACKEND, ""); r; r = model_next(r))
		assert_string_equal(model_name(model, IDS_BACKEND, r->ref), r->name);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(ports_have_interfaces),
		T(config_is_taken_apart),
		T(pools_keep_apart),
		T(iteration_is_sorted_and_resumes),
		T(create_update_delete_say_what_is_there),
		T(etags_are_compared),
		T(nested_etags_in_a_config),
		T(same_config_changes_nothing),
		T(update_of_a_pool_is_a_difference),
		T(names_twice_are_refused),
		T(ids_are_stable_and_generations_tell),
		T(local_addresses_keep_their_ids),
		T(refused_changes_leave_no_trace),
		T(limits_are_named),
		T(replacing_all_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
