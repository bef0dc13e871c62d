/* SPDX-License-Identifier: BSD-3-Clause */
/* sluicectl's files: what is taken, as what, what is refused with which line, and back again. */
#include "ctrl/client/yaml_in.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "ctrl/client/yaml_out.h"

static char path[64];
static char why[512];

static int make_file(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/sluice-yaml-XXXXXX");
	fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static json_t *load_bytes(const char *text, size_t len, struct yaml_place *places)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return yaml_load(path, places, why, sizeof(why));
}

/* The file's text becomes this JSON. */
static void expect(const char *text, const char *json)
{
	struct yaml_place places;
	json_t *value = load_bytes(text, strlen(text), &places);
	char *found;

	if (!value)
		fail_msg("%s: refused: %s", text, why);
	found = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(found, json);
	free(found);
	yaml_places_free(&places);
	json_decref(value);
}

/* It is refused, at this line, with these words. */
static void expect_refusal(const char *text, unsigned int line, const char *words)
{
	struct yaml_place places;
	json_t *value = load_bytes(text, strlen(text), &places);
	char start[96];

	if (value)
		fail_msg("taken: %s", text);
	snprintf(start, sizeof(start), "%s:%u: ", path, line);
	if (strncmp(why, start, strlen(start)) != 0 || !strstr(why, words))
		fail_msg("wanted '%s...%s', found '%s'", start, words, why);
}

static void test_scalars(void **state)
{
	(void)state;
	expect("a: 80", "{\"a\":80}");
	expect("a: -7", "{\"a\":-7}");
	expect("a: 0x1F", "{\"a\":31}");
	expect("a: 0o17", "{\"a\":15}");
	expect("a: 010", "{\"a\":10}");
	expect("a: 1.5", "{\"a\":1.5}");
	expect("a: true", "{\"a\":true}");
	expect("a: FALSE", "{\"a\":false}");
	expect("a: null", "{\"a\":null}");
	expect("a: ~", "{\"a\":null}");
	expect("a:", "{\"a\":null}");
	expect("a: yes", "{\"a\":\"yes\"}");
	expect("a: 192.0.2.80", "{\"a\":\"192.0.2.80\"}");
	expect("a: 0.0.0.0/0", "{\"a\":\"0.0.0.0/0\"}");
	expect("a: 0x", "{\"a\":\"0x\"}");
	expect("a: 1e", "{\"a\":\"1e\"}");
	expect("a: '80'", "{\"a\":\"80\"}");
	expect("a: \"true\"", "{\"a\":\"true\"}");
	expect("a: |\n  80\n", "{\"a\":\"80\\n\"}");
	expect("a: 9223372036854775807", "{\"a\":9223372036854775807}");
}

static void test_collections(void **state)
{
	(void)state;
	expect("- {n: a, p: 1}\n- {n: b}\n", "[{\"n\":\"a\",\"p\":1},{\"n\":\"b\"}]");
	expect("{\"a\": [1, \"2\", {\"b\": null}]}", "{\"a\":[1,\"2\",{\"b\":null}]}");
	expect("a: []\nb: {}\n", "{\"a\":[],\"b\":{}}");
	expect("a:\n  - 1 # one\n  - 2\n", "{\"a\":[1,2]}");
}

static void test_refusals(void **state)
{
	(void)state;
	expect_refusal("", 1, "empty");
	expect_refusal("# nothing\n", 2, "empty");
	expect_refusal("a: 1\nb: 2\na: 3\n", 3, "'a' is there twice");
	expect_refusal("a: &x 1\nb: 2\n", 1, "anchor");
	expect_refusal("&x a: 1\n", 1, "anchor");
	expect_refusal("a: 1\nb: *x\n", 2, "");
	expect_refusal("a: &x {b: 1}\n", 1, "anchor");
	expect_refusal("a: !!str 1\n", 1, "tag");
	expect_refusal("a: !x [1]\n", 1, "tag");
	expect_refusal("a: 1\n---\nb: 2\n", 2, "second document");
	expect_refusal("{a: 1}: 2\n", 1, "key");
	expect_refusal("a: 99999999999999999999\n", 1, "out of range");
	expect_refusal("a: 1\n  b: 2\n", 2, "");
	expect_refusal("a: [1, 2\n", 2, "");
	expect_refusal("a: \"x\n", 2, "");
	expect_refusal("a: \t\xff\xfe\n", 1, "");
}

static void test_nesting_is_bounded(void **state)
{
	static char text[200001];

	(void)state;
	memset(text, '[', sizeof(text) - 1);
	expect_refusal(text, 1, "nested deeper");
}

static void test_no_such_file(void **state)
{
	struct yaml_place places;

	(void)state;
	assert_null(yaml_load("/nonexistent/x.yaml", &places, why, sizeof(why)));
	assert_string_equal(why, "/nonexistent/x.yaml: No such file or directory");
	assert_null(yaml_load("/", &places, why, sizeof(why)));
	assert_string_equal(why, "/: Is a directory");
}

/* Cut anywhere and with any byte changed it is taken or refused, nothing else. */
static void test_damaged_files(void **state)
{
	static const char good[] =
		"a:\n  - {name: web, port: 80, list: [1, 'b', \"c\"]}\nb: true\n";
	struct yaml_place places;
	char text[sizeof(good)];

	(void)state;
	for (size_t len = 0; len < sizeof(good); len++) {
		json_t *value = load_bytes(good, len, &places);

		if (value)
			yaml_places_free(&places);
		json_decref(value);
	}
	for (size_t i = 0; i < 4 * (sizeof(good) - 1); i++) {
		json_t *value;

		memcpy(text, good, sizeof(good));
		text[i / 4] = "\0*{\xc3"[i % 4];
		value = load_bytes(text, sizeof(good) - 1, &places);
		if (value)
			yaml_places_free(&places);
		json_decref(value);
	}
}

static void test_lines(void **state)
{
	static const char text[] = "interfaces:\n"                                /* 1 */
				   "  - {name: wan, addresses: [192.0.2.1/24]}\n" /* 2 */
				   "backend_pools:\n"                             /* 3 */
				   "  - name: web\n"                              /* 4 */
				   "    backends:\n"                              /* 5 */
				   "      - name: web-1\n"                        /* 6 */
				   "        port: 80\n"                           /* 7 */
				   "      - name: web-2\n"                        /* 8 */
				   "        port: 0\n"                            /* 9 */
				   "virtual_servers: []\n";                       /* 10 */
	static const struct {
		const char *message;
		unsigned int line;
	} cases[] = {
		{"config.backendPools[0].backends[1].port: 0", 9},
		{"backend_pools[web].backends[web-1].port: 0", 7},
		{"backend_pools[web].backends[web-2].weight: 70000", 8},
		{"config.backend_pools[0].name: bad", 4},
		{"interfaces[wan].addresses[0]: bad", 2},
		{"config.virtualServers: bad", 10},
		{"virtual_servers[web].port: not in the file", 10},
		{"routes[x].gateway: nothing of it in the file", 0},
		{"no path at all", 0},
		{"", 0},
		{": ", 0},
		{"backend_pools[99999999999999999999].name: far", 4},
	};
	struct yaml_place places;
	json_t *value = load_bytes(text, strlen(text), &places);

	(void)state;
	assert_non_null(value);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int line = yaml_line_of(&places, value, cases[i].message);

		if (line != cases[i].line)
			fail_msg("%s: line %u", cases[i].message, line);
	}
	yaml_places_free(&places);
	json_decref(value);
}

/* The path may begin outside of what the file holds: one backend. */
static void test_lines_of_one_resource(void **state)
{
	static const char text[] = "name: web-1\naddress: 192.0.2.1\nport: 0\n";
	struct yaml_place places;
	json_t *value = load_bytes(text, strlen(text), &places);

	(void)state;
	assert_non_null(value);
	assert_int_equal(yaml_line_of(&places, value, "backend.port: 0"), 3);
	assert_int_equal(yaml_line_of(&places, value, "backends[web/web-1].address: x"), 2);
	assert_int_equal(yaml_line_of(&places, value, "backend: Backend has no field \"port\""), 3);
	assert_int_equal(yaml_line_of(&places, value, "Backend has no field \"address\""), 2);
	assert_int_equal(yaml_line_of(&places, value, "Backend has no field \"addr\""), 0);
	assert_int_equal(yaml_line_of(&places, value, "Backend has no field \""), 0);
	yaml_places_free(&places);
	json_decref(value);
}

/* What is printed is read back the same, strings that look like something else too. */
static void test_printed_is_read_back(void **state)
{
	static const char json[] =
		"{\"a\":\"80\",\"b\":\"true\",\"c\":\"\",\"d\":\"~\",\"e\":\"- x\",\"f\":\"a: b\","
		"\"g\":[\"1.5\",2,false,null],\"h\":[{\"i\":\"0x1F\"},{}],\"j\":[],\"k\":\"# no\","
		"\"l\":\"two\\nlines\",\"m\":1.25}";
	json_t *value = json_loads(json, 0, NULL);
	struct yaml_place places;
	json_t *again;
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(value);
	assert_non_null(f);
	assert_int_equal(yaml_print(f, value), 0);
	fclose(f);
	again = yaml_load(path, &places, why, sizeof(why));
	if (!again)
		fail_msg("%s", why);
	assert_true(json_equal(value, again));
	yaml_places_free(&places);
	json_decref(again);
	json_decref(value);
}

static void test_printed_names(void **state)
{
	char buffer[64];
	char text[128];
	json_t *value = json_pack("{ss ss ss}", "forwardingMode", "FORWARDING_MODE_FULLNAT",
				  "protocol", "PROTOCOL_TCP", "name", "PROTOCOL_TCP");
	FILE *f = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_int_equal(yaml_print(f, value), 0);
	fclose(f);
	assert_string_equal(text, "forwarding_mode: fullnat\nprotocol: tcp\nname: PROTOCOL_TCP\n");
	assert_string_equal(enum_short("protocol", "PROTOCOL", buffer, sizeof(buffer)), "PROTOCOL");
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_collections),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nesting_is_bounded),
		cmocka_unit_test(test_no_such_file),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_of_one_resource),
		cmocka_unit_test(test_printed_is_read_back),
		cmocka_unit_test(test_printed_names),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
