/* SPDX-License-Identifier: BSD-3-Clause */
/* Each rule that an SNAT policy can break, with the words in which it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sluice/snat.h>

#include "tests/unit/lib/ctrl_bed.h"

#define NAME       "'name': 's', "
#define SOURCE     "'sourcePrefixes': ['198.51.100.0/24'], "
#define POOL       "'localAddressPool': 'l'"
#define RULE(rest) "{" NAME rest POOL "}"

/* A policy by itself, and the reason for which it is refused; NULL: it isn't. */
static const struct {
	const char *json, *reason;
} ones[] = {
	{RULE(SOURCE), NULL},
	{RULE(SOURCE "'priority': 4294967295, 'maxConnections': 4294967295, "), NULL},
	{RULE(SOURCE "'protocol': 'tcp', 'inInterface': 'lan', "), NULL},
	{RULE(SOURCE "'protocol': 'udp', "), NULL},
	{RULE(SOURCE "'protocol': 'icmp', "), NULL},
	{RULE(SOURCE "'protocol': 77, "),
	 "snat_policies[s].protocol: 77 is not known: tcp, udp, icmp, or none"},
	{RULE(SOURCE "'destinationPrefixes': ['203.0.113.0/24', '0.0.0.0/0'], "), NULL},
	{RULE("'sourcePrefixes': ['0.0.0.0/0'], "), NULL},
	{RULE("'sourcePrefixes': ['198.51.100.7/32', '10.0.0.0/8'], "), NULL},
	{RULE(""), "snat_policies[s].source_prefixes: at least one is required"},
	{RULE("'sourcePrefixes': [], "), "source_prefixes: at least one is required"},
	{RULE("'sourcePrefixes': ['198.51.100.1/24'], "),
	 "source_prefixes: \"198.51.100.1/24\" has host bits set"},
	{RULE("'sourcePrefixes': ['198.51.100.0/33'], "), "\"198.51.100.0/33\" "},
	{RULE("'sourcePrefixes': ['198.51.100.0/24', 'here'], "), "\"here\" "},
	{RULE("'sourcePrefixes': [''], "), "source_prefixes: \"\" "},
	{RULE("'sourcePrefixes': ['198.51.100.0'], "), "\"198.51.100.0\" "},
	{RULE(SOURCE "'destinationPrefixes': ['203.0.113.1/24'], "),
	 "destination_prefixes: \"203.0.113.1/24\" has host bits set"},
	{"{" SOURCE POOL "}", "snat_policies[].name: is required"},
	{"{'name': 'S', " SOURCE POOL "}", "snat_policies[S].name: \"S\" is not a name"},
	{"{'name': 's', " SOURCE "'localAddressPool': ''}", "local_address_pool: is required"},
	{"{'name': 's', " SOURCE "'localAddressPool': '-'}", "local_address_pool: \"-\" is not"},
};

static void expect_refusal(const char *json, const char *reason)
{
	struct problem why = {0};
	struct resource *r =
		resource_new(RESOURCE_SNAT_POLICY, NULL,
			     bed_json(resource_descriptor(RESOURCE_SNAT_POLICY), json), &why);

	if (!reason && !r)
		fail_msg("%s: %s", json, why.text);
	if (reason && (r || !strstr(why.text, reason)))
		fail_msg("%s: '%s' does not say '%s'", json, why.text, reason);
	if (reason)
		assert_int_equal(why.code, PROBLEM_INVALID_ARGUMENT);
	resource_free(r);
}

static void each_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ones) / sizeof(ones[0]); i++)
		expect_refusal(ones[i].json, ones[i].reason);
	bed_json_free();
}

/* 64 prefixes in a list, and no more. */
static void lists_are_bounded(void **state)
{
	static const char *const fields[] = {"sourcePrefixes", "destinationPrefixes"};
	char json[4096];

	(void)state;
	for (int f = 0; f < 2; f++)
		for (int n = 64; n <= 65; n++) {
			int len =
				snprintf(json, sizeof(json), "{" NAME POOL ", %s'%s': [",
					 f ? "'sourcePrefixes': ['10.0.0.0/8'], " : "", fields[f]);

			for (int i = 0; i < n; i++)
				len += snprintf(json + len, sizeof(json) - (size_t)len,
						"%s'10.%d.0.0/16'", i ? "," : "", i);
			snprintf(json + len, sizeof(json) - (size_t)len, "]}");
			expect_refusal(json, n > 64 ? "65 are more than 64" : NULL);
		}
	bed_json_free();
}

/* ---- with the rest of a configuration ---- */

#define REST                                                                              \
	"'interfaces': [{'name': 'wan', 'addresses': ['192.0.2.1/24']}, {'name': 'lan', " \
	"'addresses': ['198.51.100.1/24']}], 'localAddressPools': [{'name': 'l', "        \
	"'addresses': ['192.0.2.10']}, {'name': 'six', 'addresses': ['2001:db8::a']}], "

static enum problem_code configure(struct model *model, const char *policies, struct problem *why)
{
	static char json[256 * 1024];
	enum problem_code code;

	snprintf(json, sizeof(json), "{" REST "'snatPolicies': [%s]}", policies);
	code = bed_config(model, json, NULL, why);
	bed_json_free();
	return code;
}

static void each_relation(void **state)
{
	static const struct {
		const char *policies;
		enum problem_code code;
		const char *reason;
	} rows[] = {
		{"", 0, NULL},
		{RULE(SOURCE "'inInterface': 'lan', "), 0, NULL},
		{RULE(SOURCE "'inInterface': 'dmz', "), PROBLEM_FAILED_PRECONDITION,
		 "snat_policies[s].in_interface: there is no interface dmz"},
		{"{" NAME SOURCE "'localAddressPool': 'none'}", PROBLEM_FAILED_PRECONDITION,
		 "snat_policies[s].local_address_pool: there is no local address pool none"},
		{"{" NAME SOURCE "'localAddressPool': 'six'}", PROBLEM_FAILED_PRECONDITION,
		 "snat_policies[s].local_address_pool: six has no IPv4 address"},
		{RULE(SOURCE) "," RULE(SOURCE), PROBLEM_INVALID_ARGUMENT, "snat_policies[s]"},
	};
	struct sl_root *root = bed_root_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct model *model = model_new(root);
		struct problem why;
		enum problem_code code = configure(model, rows[i].policies, &why);

		if (code != rows[i].code || (code && !strstr(why.text, rows[i].reason)))
			fail_msg("%s: %s, %s", rows[i].policies, problem_code_name(code),
				 code ? why.text : "");
		if (code)
			assert_int_equal(model->count[RESOURCE_SNAT_POLICY], 0);
		model_free(model);
	}
	bed_root_free(root);
}

/* What a packet that no policy wants costs is bounded by all their prefixes. */
static void prefixes_are_bounded(void **state)
{
	struct sl_root *root = bed_root_new();
	struct model *model = model_new(root);
	static char list[64 * 1024];
	struct problem why;
	size_t len = 0;

	(void)state;
	for (int p = 0; p < SL_SNAT_PREFIXES / 64 + 1; p++) {
		len += (size_t)snprintf(list + len, sizeof(list) - len,
					"%s{'name': 'p%d', " POOL ", 'sourcePrefixes': [",
					p ? "," : "", p);
		for (int i = 0; i < 64; i++)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s'10.%d.0.0/16'",
						i ? "," : "", i);
		len += (size_t)snprintf(list + len, sizeof(list) - len, "]}");
	}
	assert_int_equal(configure(model, list, &why), PROBLEM_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(why.text, "their 1088 prefixes are more than 1024"));
	model_free(model);
	bed_root_free(root);
}

/* A pool that a policy uses stays. */
static void pools_in_use_stay(void **state)
{
	struct sl_root *root = bed_root_new();
	struct model *model = model_new(root);
	struct apply_request q = {
		.op = APPLY_DELETE, .kind = RESOURCE_LOCAL_ADDRESS_POOL, .name = "l"};
	struct problem why;

	(void)state;
	assert_int_equal(configure(model, RULE(SOURCE), &why), 0);
	assert_int_equal(bed_try(model, &q, NULL, &why), PROBLEM_FAILED_PRECONDITION);
	assert_string_equal(why.text, "local address pool l is used by SNAT policy s");
	q.name = "six";
	assert_int_equal(bed_try(model, &q, NULL, &why), 0);
	model_free(model);
	bed_json_free();
	bed_root_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field),        cmocka_unit_test(lists_are_bounded),
		cmocka_unit_test(each_relation),     cmocka_unit_test(prefixes_are_bounded),
		cmocka_unit_test(pools_in_use_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
