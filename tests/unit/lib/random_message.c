/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lib/random_message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/rpc/schema.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

static uint64_t random_number(void)
{
	static const uint64_t extremes[] = {0, 1, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};

	if (random() % 3 == 0)
		return extremes[random() % 6];
	return (uint64_t)random() << 33 | (uint64_t)random() << 2;
}

static char *random_string(struct rpc_arena *arena)
{
	static const char *const pieces[] = {
		"a",  "0",    "-",    "\"",       "\\",           "/",
		"\n", "\x01", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"\t"};
	unsigned int n = random() % 12;
	char *text = rpc_arena_alloc(arena, 4 * n + 1);

	while (n--)
		strcat(text, pieces[random() % (sizeof(pieces) / sizeof(pieces[0]))]);
	return text;
}

static void random_bytes(struct rpc_arena *arena, ProtobufCBinaryData *data)
{
	data->len = (size_t)random() % 12;
	data->data = rpc_arena_alloc(arena, data->len + 1);
	for (size_t i = 0; i < data->len; i++)
		data->data[i] = (uint8_t)random();
}

static void random_value(struct rpc_arena *arena, const ProtobufCFieldDescriptor *field, void *to)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)to = random() % 2; break;
	case PROTOBUF_C_TYPE_ENUM: *(int *)to = (int)(random() % 5); break; /* unknown ones, too */
	case PROTOBUF_C_TYPE_UINT32: *(uint32_t *)to = (uint32_t)random_number(); break;
	case PROTOBUF_C_TYPE_UINT64: *(uint64_t *)to = random_number(); break;
	case PROTOBUF_C_TYPE_INT32: *(int32_t *)to = (int32_t)random_number(); break;
	case PROTOBUF_C_TYPE_INT64: *(int64_t *)to = (int64_t)random_number(); break;
	case PROTOBUF_C_TYPE_STRING: *(char **)to = random_string(arena); break;
	case PROTOBUF_C_TYPE_BYTES: random_bytes(arena, to); break;
	default: *(ProtobufCMessage **)to = random_message(arena, field->descriptor); break;
	}
}

static void random_list(struct rpc_arena *arena, const ProtobufCFieldDescriptor *field,
			ProtobufCMessage *message)
{
	size_t n = random() % 4, size = schema_value_size(field);
	char *elements = rpc_arena_alloc(arena, n * size);

	for (size_t i = 0; i < n; i++)
		random_value(arena, field, elements + i * size);
	*(char **)schema_value(field, message) = elements;
	*(size_t *)schema_quantifier(field, message) = n;
}

/* A time or duration that has a text. */
static ProtobufCMessage *random_known(ProtobufCMessage *message)
{
	static const int32_t nanos[] = {0, 250000000, 1000, 7};

	if (message->descriptor == &google__protobuf__timestamp__descriptor) {
		Google__Protobuf__Timestamp *t = (Google__Protobuf__Timestamp *)message;

		t->seconds = random() - 1000000000;
		t->nanos = nanos[random() % 4];
	} else {
		Google__Protobuf__Duration *d = (Google__Protobuf__Duration *)message;

		d->seconds = random();
		d->nanos = nanos[random() % 4];
	}
	return message;
}

ProtobufCMessage *random_message(struct rpc_arena *arena, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *message = rpc_arena_alloc(arena, type->sizeof_message);

	protobuf_c_message_init(type, message);
	if (type == &google__protobuf__timestamp__descriptor ||
	    type == &google__protobuf__duration__descriptor)
		return random_known(message);
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];

		if (random() % 4 == 0)
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			random_list(arena, field, message);
			continue;
		}
		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			if (*(uint32_t *)schema_quantifier(field, message))
				continue; /* another member is there */
			*(uint32_t *)schema_quantifier(field, message) = field->id;
		}
		random_value(arena, field, schema_value(field, message));
	}
	return message;
}
