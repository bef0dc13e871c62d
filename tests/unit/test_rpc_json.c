/* SPDX-License-Identifier: BSD-3-Clause */
/* The JSON mapping: what is read, what is written, what is refused and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "ctrl/rpc/decode.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/common.pb-c.h"
#include "sluice/v1/config.pb-c.h"
#include "sluice/v1/connection.pb-c.h"
#include "sluice/v1/stats.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"
#include "sluice/v1/worker.pb-c.h"
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

static void *read_json(const ProtobufCMessageDescriptor *type, const char *text)
{
	return rpc_decode(&decode, type, RPC_FORMAT_JSON, text, strlen(text), &arena);
}

/* In the arena. */
static char *write_json(const void *message)
{
	struct evbuffer *out = evbuffer_new();
	size_t len;
	char *text;

	assert_int_equal(rpc_encode(message, RPC_FORMAT_JSON, out), 0);
	len = evbuffer_get_length(out);
	text = rpc_arena_alloc(&arena, len + 1);
	evbuffer_remove(out, text, len);
	evbuffer_free(out);
	return text;
}

static void reads_all_forms(void **state)
{
	Sluice__V1__VirtualServer *v = read_json(
		&sluice__v1__virtual_server__descriptor,
		" {\"name\": \"web\", \"port\": \"80\", \"protocol\": \"tcp\", \"scheduler\": 2,\n"
		"\"etag\": \"x\", \"backend_pool\": \"a\\u00e9\","
		"\"localAddressPool\": null } ");

	(void)state;
	assert_non_null(v);
	assert_string_equal(v->name, "web");
	assert_int_equal(v->port, 80);
	assert_int_equal(v->protocol, SLUICE__V1__PROTOCOL__PROTOCOL_TCP);
	assert_int_equal(v->scheduler, SLUICE__V1__SCHEDULER__SCHEDULER_WRR);
	assert_string_equal(v->etag, "x");
	assert_string_equal(v->backend_pool, "a\xc3\xa9");
	assert_string_equal(v->local_address_pool, "");
	assert_string_equal(v->address, "");
}

static void reads_escapes(void **state)
{
	Sluice__V1__VirtualServer *v = read_json(
		&sluice__v1__virtual_server__descriptor,
		"{\"name\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00E9\\u20ac\\ud83d\\ude00.\"}");

	(void)state;
	assert_non_null(v);
	assert_string_equal(v->name, "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80.");
}

static void writes_the_mapping(void **state)
{
	Sluice__V1__VirtualServer v = SLUICE__V1__VIRTUAL_SERVER__INIT;
	Sluice__V1__Config config = SLUICE__V1__CONFIG__INIT;
	Sluice__V1__VirtualServer *servers[] = {&v};

	(void)state;
	assert_string_equal(write_json(&config), "{}");
	v.name = "a\"\\\n\x01\xc3\xa9";
	v.protocol = SLUICE__V1__PROTOCOL__PROTOCOL_UDP;
	v.scheduler = 77;
	config.virtual_servers = servers;
	config.n_virtual_servers = 1;
	config.revision = UINT64_MAX;
	assert_string_equal(write_json(&config),
			    "{\"virtualServers\":[{\"name\":\"a\\\"\\\\\\u000a\\u0001\xc3\xa9\","
			    "\"protocol\":\"PROTOCOL_UDP\",\"scheduler\":77}],"
			    "\"revision\":\"18446744073709551615\"}");
}

/* Weight 0 drains; no weight is 1. The mapping must not take one for the other. */
static void tells_zero_from_absent(void **state)
{
	Sluice__V1__Backend *b = read_json(&sluice__v1__backend__descriptor, "{\"weight\": 0}");

	(void)state;
	assert_int_equal(b->optional_weight_case, SLUICE__V1__BACKEND__OPTIONAL_WEIGHT_WEIGHT);
	assert_int_equal(b->weight, 0);
	assert_string_equal(write_json(b), "{\"weight\":0}");
	b = read_json(&sluice__v1__backend__descriptor, "{\"weight\": null}");
	assert_int_equal(b->optional_weight_case, SLUICE__V1__BACKEND__OPTIONAL_WEIGHT__NOT_SET);
	assert_string_equal(write_json(b), "{}");
}

static void refuses_with_the_path(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
		{"{\"config\":{\"virtualServers\":[{},{\"port\":65536000000}]}}",
		 "config.virtualServers[1].port: 65536000000 is not in 0..4294967295"},
		{"{\"config\":{\"virtual_servers\":[{\"port\":-1}]}}",
		 "config.virtual_servers[0].port: -1 is not in 0..4294967295"},
		{"{\"config\":{\"virtualServers\":[{\"port\":80.0}]}}",
		 "config.virtualServers[0].port: expected an integer, not a number with a fraction "
		 "or exponent"},
		{"{\"config\":{\"virtualServers\":[{\"port\":\"0x50\"}]}}",
		 "config.virtualServers[0].port: \"0x50\" is not a number in 0..4294967295"},
		{"{\"config\":{\"virtualServers\":[{\"port\":true}]}}",
		 "config.virtualServers[0].port: expected an integer, not a boolean"},
		{"{\"config\":{\"virtualServers\":[{\"protocol\":\"sctp\"}]}}",
		 "config.virtualServers[0].protocol: \"sctp\" is not one of tcp, udp, icmp"},
		{"{\"config\":{\"virtualServers\":[{\"protocol\":4294967297}]}}",
		 "config.virtualServers[0].protocol: 4294967297 is no enum value"},
		{"{\"config\":{\"virtualServers\":[{\"name\":7}]}}",
		 "config.virtualServers[0].name: expected a string, not a number"},
		{"{\"config\":{\"virtualServers\":[null]}}",
		 "config.virtualServers[0]: expected an object, not null"},
		{"{\"config\":{\"virtualServers\":{}}}",
		 "config.virtualServers: expected an array, not an object"},
		{"{\"config\":{\"virtualServer\":[]}}",
		 "config: Config has no field \"virtualServer\""},
		{"{\"Config\":{}}", "ApplyConfigRequest has no field \"Config\""},
		{"{\"config\":{\"virtualServers\":[],\"virtual_servers\":[]}}",
		 "config.virtual_servers: given twice"},
		{"{\"comment\":\"a\",\"comment\":\"b\"}", "comment: given twice"},
		{"null", "expected an object, not null"},
		{"7", "expected an object, not a number"},
		{"{\"validateOnly\":\"true\"}",
		 "validateOnly: expected true or false, not a string"},
		{"{\"config\":{\"revision\":\"18446744073709551616\"}}",
		 "config.revision: \"18446744073709551616\" is not a number in "
		 "0..18446744073709551615"},
		{"[]", "expected an object, not an array"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(
			read_json(&sluice__v1__apply_config_request__descriptor, cases[i].text));
		assert_string_equal(decode.why, cases[i].why);
		assert_false(decode.too_large);
	}
}

static void refuses_bad_json(void **state)
{
	static const char *const cases[] = {
		"",
		" ",
		"{",
		"{}x",
		"{} {}",
		"{\"comment\":\"\\u0000\"}",
		"{\"comment\":\"\\ud800\\u0041\"}",
		"{\"comment\":\"\\udc00\"}",
		"{\"comment\":\"\\u12g4\"}",
		"{\"comment\":\"\\x\"}",
		"{\"comment\":\"\\",
		"{\"comment\":\"a\\\"}",
		"{\"comment\" \"a\"}",
		"{\"comment\":\"a\" \"validateOnly\":true}",
		"{\"config\":{\"revision\":01}}",
		"{\"config\":{\"revision\":-}}",
		"{\"config\":{\"revision\":1.}}",
		"{\"config\":{\"revision\":1e}}",
		"{\"config\":{\"routes\":[{},]}}",
		"{\"config\":{\"routes\":[{}",
		"{\"validateOnly\":tru}",
		"{\"comment\":\"\\ud800\"}",
		"{\"comment\":\"\xff\"}",
		"{\"comment\":\"\xc0\x80\"}",
		"{\"comment\":\"a\nb\"}",
		"{comment:1}",
		"{'comment':\"1\"}",
		"{\"comment\":\"1\",}",
		"{\"config\":{\"revision\":18446744073709551616}}",
		"// no\n{}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(read_json(&sluice__v1__apply_config_request__descriptor, cases[i]));
		assert_int_equal(strncmp(decode.why, "line ", 5), 0);
	}
}

/* Nesting is bounded, and what a small text can make of the heap. */
static void bounds_depth_and_memory(void **state)
{
	struct rpc_arena small;
	size_t n = 1000000;
	char *text = malloc(n);

	(void)state;
	memset(text, '[', n);
	assert_null(rpc_decode(&decode, &sluice__v1__config__descriptor, RPC_FORMAT_JSON, text, n,
			       &arena));
	rpc_arena_init(&small, &budget, 4 * MIB);
	memcpy(text, "{\"routes\":[", 11);
	for (size_t i = 11; i + 3 <= n; i += 3)
		memcpy(text + i, "{},", 3);
	assert_null(rpc_decode(&decode, &sluice__v1__config__descriptor, RPC_FORMAT_JSON, text, n,
			       &small));
	assert_true(decode.too_large);
	rpc_arena_clear(&small);
	free(text);
}

/* Any message survives: binary -> message -> JSON -> message -> the same binary. */
static void random_fixpoint(void **state)
{
	static const ProtobufCMessageDescriptor *const types[] = {
		&sluice__v1__apply_config_request__descriptor,
		&sluice__v1__list_connections_response__descriptor,
		&sluice__v1__get_stats_response__descriptor,
		&sluice__v1__list_workers_response__descriptor,
	};

	(void)state;
	srandom(1);
	for (unsigned int i = 0; i < 4000; i++) {
		const ProtobufCMessageDescriptor *type = types[i % 4];
		ProtobufCMessage *message = random_message(&arena, type), *again;
		size_t len = protobuf_c_message_get_packed_size(message);
		uint8_t *before = malloc(len + 1), *after = malloc(len + 1);

		protobuf_c_message_pack(message, before);
		again = rpc_decode(&decode, type, RPC_FORMAT_PROTO, before, len, &arena);
		assert_non_null(again);
		again = read_json(type, write_json(again));
		assert_non_null(again);
		assert_int_equal(protobuf_c_message_get_packed_size(again), len);
		protobuf_c_message_pack(again, after);
		assert_memory_equal(before, after, len);
		free(before);
		free(after);
		rpc_arena_clear(&arena);
	}
}

/* Only the fields from this one on, or up to it. */
static void keep_fields(ProtobufCMessage *message, unsigned int from, unsigned int to)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	for (unsigned int i = 0; i < type->n_fields; i++)
		if (i < from || i > to)
			*(size_t *)((char *)message + type->fields[i].quantifier_offset) = 0;
}

/* In parts, of which one list goes on in the next: as binary has it, one after the other. */
static void parts_make_a_message(void **state)
{
	const ProtobufCMessageDescriptor *type = &sluice__v1__get_stats_response__descriptor;
	struct encode_parts as_json = {.format = RPC_FORMAT_JSON};
	struct evbuffer *json = evbuffer_new(), *binary = evbuffer_new();

	(void)state;
	srandom(3);
	assert_int_equal(rpc_encode_parts_end(&as_json, json), 0);
	assert_memory_equal(evbuffer_pullup(json, 2), "{}", 2);
	for (unsigned int i = 0; i < 600; i++) {
		struct encode_parts as_binary = {.format = RPC_FORMAT_PROTO};
		unsigned int from = 0;
		ProtobufCMessage *whole, *again;

		evbuffer_drain(json, evbuffer_get_length(json));
		evbuffer_drain(binary, evbuffer_get_length(binary));
		as_json = (struct encode_parts){.format = RPC_FORMAT_JSON};
		for (unsigned int part = 0; part < 4; part++) {
			ProtobufCMessage *message = random_message(&arena, type);
			unsigned int to = from + (unsigned int)random() % (type->n_fields - from);

			keep_fields(message, from, to);
			assert_int_equal(rpc_encode_part(&as_json, message, json), 0);
			assert_int_equal(rpc_encode_part(&as_binary, message, binary), 0);
			from = to;
		}
		assert_int_equal(rpc_encode_parts_end(&as_json, json), 0);
		assert_int_equal(rpc_encode_parts_end(&as_binary, binary), 0);
		whole = rpc_decode(&decode, type, RPC_FORMAT_PROTO, evbuffer_pullup(binary, -1),
				   evbuffer_get_length(binary), &arena);
		again = rpc_decode(&decode, type, RPC_FORMAT_JSON, evbuffer_pullup(json, -1),
				   evbuffer_get_length(json), &arena);
		assert_non_null(whole);
		assert_non_null(again);
		assert_string_equal(write_json(whole), write_json(again));
		rpc_arena_clear(&arena);
	}
	evbuffer_free(json);
	evbuffer_free(binary);
}

/* Damaged text is refused or read, and what was read can be written and read again. */
static void random_damage(void **state)
{
	(void)state;
	srandom(2);
	for (unsigned int i = 0; i < 20000; i++) {
		const ProtobufCMessageDescriptor *type =
			&sluice__v1__apply_config_request__descriptor;
		char *text = write_json(random_message(&arena, type));
		size_t len = strlen(text);
		void *message;

		for (long k = random() % 3 + 1; k; k--)
			text[random() % len] = "\"{}[],:0-9x\\\xff"[random() % 13];
		message = rpc_decode(&decode, type, RPC_FORMAT_JSON, text, len, &arena);
		if (message)
			assert_non_null(read_json(type, write_json(message)));
		else
			assert_true(*decode.why);
		rpc_arena_clear(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_all_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reads_escapes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writes_the_mapping, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_zero_from_absent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_with_the_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_bad_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds_depth_and_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_fixpoint, set_up, tear_down),
		cmocka_unit_test_setup_teardown(parts_make_a_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_damage, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
