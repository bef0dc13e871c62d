/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64 and the well-known types: vectors of RFC 4648 and of the ProtoJSON format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sluice/base64.h>

#include "ctrl/rpc/json_known.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

static struct rpc_budget budget = {1024 * 1024};
static struct rpc_arena arena;
static struct decode decode;

static int set_up(void **state)
{
	(void)state;
	rpc_arena_init(&arena, &budget, 1024 * 1024);
	decode = (struct decode){.arena = &arena};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rpc_arena_clear(&arena);
	return 0;
}

static void base64_vectors(void **state)
{
	static const char *const vectors[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xff\xfe\xfb", "//77"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const char *plain = vectors[i][0], *text = vectors[i][1];
		uint8_t back[32];
		char out[32];
		size_t len;

		assert_int_equal(sl_base64_encode((const uint8_t *)plain, strlen(plain), out),
				 strlen(text));
		assert_string_equal(out, text);
		assert_true(sl_base64_decode(text, back, &len));
		assert_int_equal(len, strlen(plain));
		assert_memory_equal(back, plain, len);
	}
}

static void base64_forms(void **state)
{
	static const char *const bad[] = {"Z", "Zg=", "Zm9v=", "Z g=", "Zm9vY===", "Zm=v"};
	uint8_t out[32];
	size_t len;

	(void)state;
	assert_true(sl_base64_decode("Zm8", out, &len)); /* no padding */
	assert_int_equal(len, 2);
	assert_true(sl_base64_decode("__77", out, &len)); /* the alphabet for URLs */
	assert_memory_equal(out, "\xff\xfe\xfb", 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sl_base64_decode(bad[i], out, &len));
}

static void timestamps(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
		int32_t nanos;
		const char *back;
	} good[] = {
		{"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
		{"2026-11-21T09:27:01.25Z", 1795253221, 250000000, "2026-11-21T09:27:01.250Z"},
		{"2026-11-21T10:27:01+01:00", 1795253221, 0, "2026-11-21T09:27:01Z"},
		{"2024-02-29T00:00:00.000001Z", 1709164800, 1000, "2024-02-29T00:00:00.000001Z"},
		{"0985-01-01T00:00:00Z", -31083523200, 0, "0985-01-01T00:00:00Z"},
	};
	static const char *const bad[] = {
		"",
		"now",
		"2026-11-21",
		"2026-11-21T09:27:01",
		"2026-1-21T09:27:01Z",
		"2025-02-29T00:00:00Z",
		"2026-11-21T09:27:01.Z",
		"2026-11-21T09:27:01+1:00",
		"2026-11-21T09:27:01+-1:00",
		"2026-11-21T09:27:01+01:-1",
		"2026-11-21T09:27:01Z ",
	};
	char text[JSON_KNOWN_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

		assert_true(json_known_read(&decode, good[i].text, &t.base));
		assert_int_equal(t.seconds, good[i].seconds);
		assert_int_equal(t.nanos, good[i].nanos);
		assert_string_equal(json_known_text(&t.base, text), good[i].back);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

		assert_false(json_known_read(&decode, bad[i], &t.base));
		assert_non_null(strstr(decode.why, "is not a time"));
	}
}

static void durations(void **state)
{
	static const char *const bad[] = {"", "s", "60", "1m", "1.s", "999999999999s", "+1s"};
	Google__Protobuf__Duration d = GOOGLE__PROTOBUF__DURATION__INIT;
	char text[JSON_KNOWN_TEXT];

	(void)state;
	assert_true(json_known_read(&decode, "-1.5s", &d.base));
	assert_int_equal(d.seconds, -1);
	assert_int_equal(d.nanos, -500000000);
	assert_string_equal(json_known_text(&d.base, text), "-1.500s");
	assert_true(json_known_read(&decode, "90s", &d.base));
	assert_string_equal(json_known_text(&d.base, text), "90s");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(json_known_read(&decode, bad[i], &d.base));
}

/* What a client can say in binary is as bounded as its text. */
static void ranges(void **state)
{
	static const struct {
		int64_t seconds;
		int32_t nanos;
		bool timestamp, duration;
	} cases[] = {
		{0, 0, true, true},
		{INT64_C(253402300799), 999999999, true, true},
		{INT64_C(253402300800), 0, false, true},
		{INT64_C(-62135596800), 0, true, true},
		{INT64_C(-62135596801), 0, false, true},
		{INT64_C(315576000000), 0, false, true},
		{INT64_C(315576000001), 0, false, false},
		{INT64_MIN, 0, false, false},
		{0, 1000000000, false, false},
		{0, -1, false, true},
		{1, -1, false, false},
		{-1, 1, true, false},
		{0, INT32_MIN, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
		Google__Protobuf__Duration d = GOOGLE__PROTOBUF__DURATION__INIT;
		uint8_t packed[32];

		t.seconds = d.seconds = cases[i].seconds;
		t.nanos = d.nanos = cases[i].nanos;
		assert_int_equal(rpc_decode(&decode, t.base.descriptor, RPC_FORMAT_PROTO, packed,
					    protobuf_c_message_pack(&t.base, packed),
					    &arena) != NULL,
				 cases[i].timestamp);
		assert_int_equal(rpc_decode(&decode, d.base.descriptor, RPC_FORMAT_PROTO, packed,
					    protobuf_c_message_pack(&d.base, packed),
					    &arena) != NULL,
				 cases[i].duration);
	}
}

static void field_masks(void **state)
{
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Google__Protobuf__FieldMask none = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	(void)state;
	assert_true(json_known_read(&decode, "weight,backendPool,local_address_pool", &mask.base));
	assert_int_equal(mask.n_paths, 3);
	assert_string_equal(mask.paths[0], "weight");
	assert_string_equal(mask.paths[1], "backend_pool");
	assert_string_equal(mask.paths[2], "local_address_pool");
	assert_true(json_known_read(&decode, "", &none.base));
	assert_int_equal(none.n_paths, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(base64_vectors), T(base64_forms), T(timestamps),
		T(durations),      T(ranges),       T(field_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
