/* SPDX-License-Identifier: BSD-3-Clause */
/* Binary requests: what the check before the decoder lets through, and what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/rpc/decode.h"
#include "ctrl/rpc/utf8.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/config.pb-c.h"
#include "tests/unit/lib/random_message.h"

#define MIB (1024 * 1024)

static struct rpc_budget budget = {64 * MIB};
static struct rpc_arena arena;
static struct decode decode;

static int set_up(void **state)
{
	(void)state;
	rpc_arena_init(&arena, &budget, 16 * MIB);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rpc_arena_clear(&arena);
	return budget.left == 64 * MIB ? 0 : -1;
}

static void *read_wire(const ProtobufCMessageDescriptor *type, const void *bytes, size_t len)
{
	return rpc_decode(&decode, type, RPC_FORMAT_PROTO, bytes, len, &arena);
}

static void reads_a_message(void **state)
{
	/* name: "web", optional_weight.weight: 0 */
	static const uint8_t bytes[] = "\x0a\x03web\x20\x00";
	Sluice__V1__Backend *b = read_wire(&sluice__v1__backend__descriptor, bytes, 7);

	(void)state;
	assert_non_null(b);
	assert_string_equal(b->name, "web");
	assert_int_equal(b->optional_weight_case, SLUICE__V1__BACKEND__OPTIONAL_WEIGHT_WEIGHT);
	assert_non_null(read_wire(&sluice__v1__backend__descriptor, "", 0));
}

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void refuses(void **state)
{
	static const struct {
		const uint8_t *bytes;
		size_t len;
		const char *why;
	} cases[] = {
		{BYTES("\x0a"), "name: length reaches over the end"},
		{BYTES("\x0a\x05web"), "name: length reaches over the end"},
		{BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		 "name: length reaches over the end"},
		{BYTES("\x0a\x03w\0b"), "name: text is not UTF-8, or holds a NUL"},
		{BYTES("\x0a\x02\xc3("), "name: text is not UTF-8, or holds a NUL"},
		{BYTES("\x0a\x01x\x0a\x01y"), "name: given twice"},
		{BYTES("\x08\x01"), "name: wire type 0 does not fit the field"},
		{BYTES("\x1a\x01x"), "port: wire type 2 does not fit the field"},
		{BYTES("\x1d\x01\x00\x00\x00"), "port: wire type 5 does not fit the field"},
		{BYTES("\x18\x80\x80\x80\x80\x10"), "port: 4294967296 is not in 0..4294967295"},
		{BYTES("\x18\x80"), "port: truncated or over-long number"},
		{BYTES("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
		 "port: truncated or over-long number"},
		{BYTES("\x70\x01"), "Backend has no field 14"},
		{BYTES("\x02\x00"), "bad field number"},
		{BYTES("\x80"), "truncated or over-long tag"},
		{BYTES("\x0b"), "name: wire type 3 does not fit the field"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(
			read_wire(&sluice__v1__backend__descriptor, cases[i].bytes, cases[i].len));
		assert_string_equal(decode.why, cases[i].why);
	}
}

static void names_the_path(void **state)
{
	/* config.virtual_servers[1].protocol: 2^31 */
	static const uint8_t bytes[] = "\x0a\x0a\x2a\x00\x2a\x06\x20\x80\x80\x80\x80\x08\x10\x01";

	(void)state;
	assert_null(
		read_wire(&sluice__v1__apply_config_request__descriptor, bytes, sizeof(bytes) - 1));
	assert_string_equal(decode.why,
			    "config.virtual_servers[1].protocol: 2147483648 is no enum value");
}

/* Two bytes of input are a message struct of heap: it ends at the arena's limit. */
static void bounds_memory(void **state)
{
	struct rpc_arena small;
	size_t n = MIB;
	uint8_t *bytes = malloc(n);

	(void)state;
	for (size_t i = 0; i < n; i += 2)
		memcpy(bytes + i, "\x2a\x00", 2);
	rpc_arena_init(&small, &budget, 4 * MIB);
	assert_null(rpc_decode(&decode, &sluice__v1__config__descriptor, RPC_FORMAT_PROTO, bytes, n,
			       &small));
	assert_true(decode.too_large);
	rpc_arena_clear(&small);
	/* The shared budget bounds as well. */
	assert_int_equal(budget.left, 64 * MIB);
	budget.left = MIB;
	assert_null(read_wire(&sluice__v1__config__descriptor, bytes, n));
	assert_true(decode.too_large);
	rpc_arena_clear(&arena);
	assert_int_equal(budget.left, MIB);
	budget.left = 64 * MIB;
	free(bytes);
}

static void random_damage(void **state)
{
	const ProtobufCMessageDescriptor *type = &sluice__v1__apply_config_request__descriptor;
	unsigned int accepted = 0;

	(void)state;
	srandom(3);
	for (unsigned int i = 0; i < 20000; i++) {
		ProtobufCMessage *message = random_message(&arena, type);
		size_t len = protobuf_c_message_get_packed_size(message);
		uint8_t *bytes = malloc(len + 1), *again = NULL;

		protobuf_c_message_pack(message, bytes);
		for (long k = random() % 3; k && len; k--)
			bytes[random() % len] = (uint8_t)random();
		len -= len ? random() % 3 * (random() % len) / 2 : 0;
		message = read_wire(type, bytes, len);
		if (message) {
			accepted++;
			len = protobuf_c_message_get_packed_size(message);
			again = malloc(len + 1);
			protobuf_c_message_pack(message, again);
			assert_non_null(read_wire(type, again, len));
		} else {
			assert_true(*decode.why);
		}
		free(bytes);
		free(again);
		rpc_arena_clear(&arena);
	}
	assert_in_range(accepted, 1000, 19000); /* both sides were tried */
}

static void utf8_edges(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{"", true},
		{"plain", true},
		{"\x7f", true},
		{"\xc2\x80", true},
		{"\xdf\xbf", true},
		{"\xe0\xa0\x80", true},
		{"\xed\x9f\xbf", true},
		{"\xee\x80\x80", true},
		{"\xf0\x90\x80\x80", true},
		{"\xf4\x8f\xbf\xbf", true},
		{"\x80", false},
		{"\xc0\x80", false},
		{"\xc1\xbf", false},
		{"\xc2", false},
		{"\xc2(", false},
		{"\xe0\x9f\xbf", false},
		{"\xed\xa0\x80", false}, /* a surrogate */
		{"\xe2\x82", false},
		{"\xf0\x8f\xbf\xbf", false},
		{"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
		{"\xf0\x9f\x98(", false},
		{"\xf5\x80\x80\x80", false},
		{"\xff", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			utf8_valid_text((const uint8_t *)cases[i].text, strlen(cases[i].text)),
			cases[i].valid);
	assert_false(utf8_valid_text((const uint8_t *)"a\0b", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_a_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_the_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_damage, set_up, tear_down),
		cmocka_unit_test(utf8_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
