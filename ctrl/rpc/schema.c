/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/schema.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

static const char *field_unfit(const ProtobufCFieldDescriptor *field)
{
	if (field->label == PROTOBUF_C_LABEL_REQUIRED || field->label == PROTOBUF_C_LABEL_OPTIONAL)
		if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
		    field->type != PROTOBUF_C_TYPE_MESSAGE && field->type != PROTOBUF_C_TYPE_STRING)
			return "a proto2 field";
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE: return NULL;
	default: return "a field of a type that ctrl/rpc does not read or write";
	}
}

static const char *unfit_below(const ProtobufCMessageDescriptor *type, unsigned int depth)
{
	if (depth > SCHEMA_DEPTH_MAX)
		return "messages too deep, or recursive";
	if (type->n_fields > SCHEMA_FIELDS_MAX)
		return "too many fields in a message";
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		const char *why = field_unfit(field);

		if (!why && field->type == PROTOBUF_C_TYPE_MESSAGE)
			why = unfit_below(field->descriptor, depth + 1);
		if (why)
			return why;
	}
	return NULL;
}

const char *schema_unfit(const ProtobufCMessageDescriptor *type)
{
	return unfit_below(type, 1);
}

size_t schema_value_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32: return sizeof(uint32_t);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64: return sizeof(uint64_t);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	default: return sizeof(void *); /* strings, messages: see schema_unfit() */
	}
}

void *schema_value(const ProtobufCFieldDescriptor *field, const void *message)
{
	return (char *)message + field->offset;
}

void *schema_quantifier(const ProtobufCFieldDescriptor *field, const void *message)
{
	return (char *)message + field->quantifier_offset;
}

bool schema_same_oneof(const ProtobufCFieldDescriptor *a, const ProtobufCFieldDescriptor *b)
{
	return a->flags & b->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
	       a->quantifier_offset == b->quantifier_offset;
}

/* The enum's name in capitals, words apart by underscores, is a prefix of its values' names. */
const char *schema_enum_short_name(const ProtobufCEnumDescriptor *type, const char *name)
{
	const char *rest = name;

	for (const char *t = type->short_name; *t; t++) {
		if (t != type->short_name && isupper((unsigned char)*t) && *rest++ != '_')
			return name;
		if (*rest++ != toupper((unsigned char)*t))
			return name;
	}
	return *rest == '_' && rest[1] ? rest + 1 : name;
}
