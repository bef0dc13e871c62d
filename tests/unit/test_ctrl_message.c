/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages copied into one block: the same bytes, and nothing of the original is used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctrl/message.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/config.pb-c.h"
#include "sluice/v1/stats.pb-c.h"
#include "tests/unit/lib/random_message.h"

#define GUARD 64
#define BYTE  0x5a

static struct rpc_budget budget = {64u << 20};
static struct rpc_arena arena;

static uint8_t *packed(const ProtobufCMessage *message, size_t *len)
{
	uint8_t *bytes;

	*len = protobuf_c_message_get_packed_size(message);
	bytes = malloc(*len + 1);
	protobuf_c_message_pack(message, bytes);
	return bytes;
}

/* The original is gone when the copy is looked at, and what is behind its room is untouched. */
static void check(const ProtobufCMessage *message)
{
	size_t size = message_size(message), before_len, after_len;
	uint8_t *before = packed(message, &before_len), *after;
	char *room = malloc(size + GUARD);
	ProtobufCMessage *copy;

	memset(room, BYTE, size + GUARD);
	copy = message_copy(message, room);
	assert_ptr_equal(copy, room);
	rpc_arena_clear(&arena);
	after = packed(copy, &after_len);
	assert_int_equal(after_len, before_len);
	assert_memory_equal(after, before, before_len);
	assert_int_equal(message_size(copy), size);
	for (int i = 0; i < GUARD; i++)
		assert_int_equal(room[size + i], BYTE);
	free(before);
	free(after);
	free(room);
}

static void any_message(void **state)
{
	static const ProtobufCMessageDescriptor *const types[] = {
		&sluice__v1__backend__descriptor,
		&sluice__v1__apply_config_request__descriptor,
		&sluice__v1__config__descriptor,
		&sluice__v1__get_stats_response__descriptor,
	};

	(void)state;
	srandom(11);
	for (int i = 0; i < 4000; i++) {
		rpc_arena_init(&arena, &budget, 16u << 20);
		check(random_message(&arena, types[i % 4]));
	}
}

static void unknown_fields_stay_behind(void **state)
{
	/* field 100, a varint */
	Sluice__V1__Backend *backend = sluice__v1__backend__unpack(NULL, 3, (void *)"\xa0\x06\x01");
	void *room = malloc(message_size(&backend->base));

	(void)state;
	assert_int_equal(backend->base.n_unknown_fields, 1);
	assert_int_equal(message_copy(&backend->base, room)->n_unknown_fields, 0);
	free(room);
	sluice__v1__backend__free_unpacked(backend, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_message),
		cmocka_unit_test(unknown_fields_stay_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
