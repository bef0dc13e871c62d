/* SPDX-License-Identifier: BSD-3-Clause */
/* One walk does both: without room it only counts. */
#include "ctrl/message.h"

#include <stdbool.h>
#include <string.h>

#include "ctrl/rpc/schema.h"

struct block {
	char *room; /* NULL: only count */
	size_t used;
};

static void *put(struct block *block, const void *data, size_t size)
{
	void *place = block->room ? block->room + block->used : NULL;

	block->used += (size + MESSAGE_ALIGN - 1) / MESSAGE_ALIGN * MESSAGE_ALIGN;
	return place ? memcpy(place, data, size) : NULL;
}

static ProtobufCMessage *put_message(struct block *block, const ProtobufCMessage *message);

/* What a value points to; `copy` is where the copied pointer stands, NULL: only count. */
static void put_value(struct block *block, const ProtobufCFieldDescriptor *field, const void *value,
		      void *copy)
{
	const void *const *pointer = value;
	const ProtobufCBinaryData *bytes = value;
	void *place = NULL;

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (!*pointer || !*(const char *)*pointer)
			place = (char *)protobuf_c_empty_string;
		else
			place = put(block, *pointer, strlen(*pointer) + 1);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		if (bytes->len)
			place = put(block, bytes->data, bytes->len);
		if (copy)
			((ProtobufCBinaryData *)copy)->data = place;
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (*pointer)
			place = put_message(block, *pointer);
		break;
	default: return;
	}
	if (copy)
		*(void **)copy = place;
}

static void put_array(struct block *block, const ProtobufCFieldDescriptor *field,
		      const ProtobufCMessage *message, ProtobufCMessage *copy)
{
	size_t n = *(const size_t *)schema_quantifier(field, message);
	size_t size = schema_value_size(field);
	const char *from = *(char *const *)schema_value(field, message);
	char *to = n ? put(block, from, n * size) : NULL;

	if (copy)
		*(char **)schema_value(field, copy) = to;
	for (size_t i = 0; i < n; i++)
		put_value(block, field, from + i * size, to ? to + i * size : NULL);
}

/* Of a oneof another member may be there, or none. */
static bool is_there(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
	return !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
	       *(const uint32_t *)schema_quantifier(field, message) == field->id;
}

static ProtobufCMessage *put_message(struct block *block, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	ProtobufCMessage *copy = put(block, message, type->sizeof_message);

	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];

		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			put_array(block, field, message, copy);
		else if (is_there(field, message))
			put_value(block, field, schema_value(field, message),
				  copy ? schema_value(field, copy) : NULL);
	}
	if (copy) {
		copy->n_unknown_fields = 0;
		copy->unknown_fields = NULL;
	}
	return copy;
}

size_t message_size(const ProtobufCMessage *message)
{
	struct block block = {0};

	put_message(&block, message);
	return block.used;
}

ProtobufCMessage *message_copy(const ProtobufCMessage *message, void *room)
{
	struct block block = {.room = room};

	return put_message(&block, message);
}
