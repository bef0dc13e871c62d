/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/reflect.h"

#include "ctrl/rpc/schema.h"

/* NULL when the type has no such field. */
static const ProtobufCFieldDescriptor *find(const ProtobufCMessage *message, const char *name,
					    ProtobufCType type)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

	return field && field->type == type && field->label != PROTOBUF_C_LABEL_REPEATED ? field
											 : NULL;
}

const char *reflect_string(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field = find(message, name, PROTOBUF_C_TYPE_STRING);

	return field ? *(char **)schema_value(field, message) : "";
}

uint32_t reflect_uint32(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field = find(message, name, PROTOBUF_C_TYPE_UINT32);

	return field ? *(uint32_t *)schema_value(field, message) : 0;
}

bool reflect_bool(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field = find(message, name, PROTOBUF_C_TYPE_BOOL);

	return field && *(protobuf_c_boolean *)schema_value(field, message);
}

const ProtobufCMessage *reflect_child(const ProtobufCMessage *message, const char **name)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	for (unsigned int i = 0; i < type->n_fields; i++) {
		if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) {
			*name = type->fields[i].name;
			return *(ProtobufCMessage **)schema_value(&type->fields[i], message);
		}
	}
	return NULL;
}

const ProtobufCMessage *reflect_message(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field = find(message, name, PROTOBUF_C_TYPE_MESSAGE);

	return field ? *(ProtobufCMessage **)schema_value(field, message) : NULL;
}

void reflect_set_list(ProtobufCMessage *message, const ProtobufCMessage **elements, size_t n)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	for (unsigned int i = 0; i < type->n_fields; i++) {
		if (type->fields[i].label == PROTOBUF_C_LABEL_REPEATED) {
			*(const ProtobufCMessage ***)schema_value(&type->fields[i], message) =
				elements;
			*(size_t *)schema_quantifier(&type->fields[i], message) = n;
			return;
		}
	}
}

void reflect_set_string(ProtobufCMessage *message, const char *name, const char *value)
{
	const ProtobufCFieldDescriptor *field = find(message, name, PROTOBUF_C_TYPE_STRING);

	if (field)
		*(const char **)schema_value(field, message) = value;
}
