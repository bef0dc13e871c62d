/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/wire.h"

#include <inttypes.h>
#include <string.h>

#include "ctrl/rpc/json_known.h"
#include "ctrl/rpc/schema.h"
#include "ctrl/rpc/utf8.h"

#define FIELD_NUMBER_MAX ((1u << 29) - 1)

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

/* Base 128, low groups first, at most ten bytes. */
static bool read_varint(struct cursor *c, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;

		if (shift == 63 && byte > 1)
			return false;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* A length and so many bytes. */
static bool read_bytes(struct cursor *c, struct cursor *bytes)
{
	uint64_t len;

	if (!read_varint(c, &len) || len > (uint64_t)(c->end - c->at))
		return false;
	*bytes = (struct cursor){c->at, c->at + len};
	c->at += len;
	return true;
}

static bool check_number(struct decode *decode, ProtobufCType type, struct cursor *c)
{
	uint64_t value;

	if (!read_varint(c, &value))
		return decode_fail(decode, "truncated or over-long number");
	switch (type) {
	case PROTOBUF_C_TYPE_UINT32:
		if (value > UINT32_MAX)
			return decode_fail(decode, "%" PRIu64 " is not in 0..%" PRIu32, value,
					   UINT32_MAX);
		return true;
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_INT32:
		if ((int64_t)value < INT32_MIN || (int64_t)value > INT32_MAX)
			return decode_fail(decode, "%" PRId64 " is no %s", (int64_t)value,
					   type == PROTOBUF_C_TYPE_ENUM ? "enum value"
									: "32-bit integer");
		return true;
	case PROTOBUF_C_TYPE_BOOL:
		if (value > 1)
			return decode_fail(decode, "%" PRIu64 " is not 0 or 1", value);
		return true;
	default: return true; /* 64 bits */
	}
}

static bool check_bytes(struct decode *decode, const ProtobufCFieldDescriptor *field,
			struct cursor bytes)
{
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return wire_check(decode, field->descriptor, bytes.at, bytes.end - bytes.at);
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		if (!utf8_valid_text(bytes.at, bytes.end - bytes.at))
			return decode_fail(decode, "text is not UTF-8, or holds a NUL");
		return true;
	}
	while (field->type != PROTOBUF_C_TYPE_BYTES && bytes.at < bytes.end) /* packed numbers */
		if (!check_number(decode, field->type, &bytes))
			return false;
	return true;
}

static bool check_value(struct decode *decode, const ProtobufCFieldDescriptor *field,
			unsigned int wire_type, struct cursor *c)
{
	bool is_bytes = field->type == PROTOBUF_C_TYPE_STRING ||
			field->type == PROTOBUF_C_TYPE_BYTES ||
			field->type == PROTOBUF_C_TYPE_MESSAGE;
	bool may_pack = field->label == PROTOBUF_C_LABEL_REPEATED;
	struct cursor bytes;

	if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT && !is_bytes)
		return check_number(decode, field->type, c);
	if (wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED || !(is_bytes || may_pack))
		return decode_fail(decode, "wire type %u does not fit the field", wire_type);
	if (!read_bytes(c, &bytes))
		return decode_fail(decode, "length reaches over the end");
	return check_bytes(decode, field, bytes);
}

/* Was another member of the field's oneof there before? */
static bool excluded(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
		     const uint32_t *count)
{
	for (unsigned int i = 0; i < type->n_fields; i++)
		if (count[i] && &type->fields[i] != field &&
		    schema_same_oneof(&type->fields[i], field))
			return true;
	return false;
}

/* `count` is of each field, by its place in the type: elements seen so far. */
static bool check_field(struct decode *decode, const ProtobufCMessageDescriptor *type,
			struct cursor *c, uint32_t *count)
{
	const ProtobufCFieldDescriptor *field;
	unsigned int depth = decode->depth;
	uint64_t tag;
	uint32_t *n;
	bool ok;

	if (!read_varint(c, &tag))
		return decode_fail(decode, "truncated or over-long tag");
	if (tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
		return decode_fail(decode, "bad field number");
	field = protobuf_c_message_descriptor_get_field(type, tag >> 3);
	if (!field)
		return decode_fail(decode, "%s has no field %" PRIu64, type->short_name, tag >> 3);
	n = &count[field - type->fields];
	decode_enter(decode, field->name, strlen(field->name));
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		decode_enter_index(decode, *n);
	if (++*n > 1 && field->label != PROTOBUF_C_LABEL_REPEATED)
		return decode_fail(decode, "given twice");
	if (excluded(type, field, count))
		return decode_fail(decode, "excludes another field that is given");
	ok = check_value(decode, field, tag & 7, c);
	decode_leave(decode, depth);
	return ok;
}

/* Times and durations: what is in the fields has a range, too. */
static bool check_known(struct decode *decode, const ProtobufCMessageDescriptor *type,
			const uint8_t *data, size_t len)
{
	const ProtobufCMessage *message =
		protobuf_c_message_unpack(type, &decode->arena->allocator, len, data);

	if (message)
		return json_known_in_range(decode, message);
	decode_too_large(decode);
	return false;
}

bool wire_check(struct decode *decode, const ProtobufCMessageDescriptor *type, const uint8_t *data,
		size_t len)
{
	struct cursor c = {data, data + len};
	uint32_t count[SCHEMA_FIELDS_MAX] = {0};

	while (c.at < c.end)
		if (!check_field(decode, type, &c, count))
			return false;
	return !json_known(type) || check_known(decode, type, data, len);
}
