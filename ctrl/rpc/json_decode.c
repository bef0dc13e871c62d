/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jansson reads the text into a tree, the tree is walked with the message's descriptor. The
 * tree lives in an arena of its own, with the same limit and budget as the message, and ends
 * with the call. jansson's allocator is one for the process: ours takes from the
 * arena of the thread that parses.
 */
#include "ctrl/rpc/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sluice/base64.h>

#include <jansson.h>

#include "ctrl/rpc/json_known.h"
#include "ctrl/rpc/schema.h"

static __thread struct rpc_arena *tree_arena; /* NULL: this thread is not parsing */

static void *tree_alloc(size_t size)
{
	return tree_arena ? rpc_arena_alloc(tree_arena, size) : malloc(size);
}

static void tree_free(void *memory)
{
	if (!tree_arena)
		free(memory);
}

static void lend_allocator(void)
{
	json_set_alloc_funcs(tree_alloc, tree_free);
}

static json_t *tree_load(struct rpc_arena *arena, const char *text, size_t len, json_error_t *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	json_t *tree;

	pthread_once(&once, lend_allocator);
	tree_arena = arena;
	tree = json_loadb(text, len, JSON_REJECT_DUPLICATES, error);
	tree_arena = NULL;
	return tree;
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER: return "a number";
	case JSON_REAL: return "a number with a fraction or exponent";
	case JSON_NULL: return "null";
	default: return "a boolean";
	}
}

static bool wrong_type(struct decode *decode, const char *expected, const json_t *value)
{
	return decode_fail(decode, "expected %s, not %s", expected, type_name(value));
}

/* Digits only: strtoull by itself takes signs and spaces. */
static bool parse_digits(const char *text, uint64_t *number)
{
	char *end;

	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0;
}

static bool read_unsigned(struct decode *decode, const json_t *value, uint64_t max,
			  uint64_t *number)
{
	if (json_is_string(value)) {
		if (!parse_digits(json_string_value(value), number) || *number > max)
			return decode_fail(decode, "\"%.40s\" is not a number in 0..%" PRIu64,
					   json_string_value(value), max);
		return true;
	}
	if (!json_is_integer(value))
		return wrong_type(decode, "an integer", value);
	*number = (uint64_t)json_integer_value(value);
	if (json_integer_value(value) < 0 || *number > max)
		return decode_fail(decode, "%" JSON_INTEGER_FORMAT " is not in 0..%" PRIu64,
				   json_integer_value(value), max);
	return true;
}

/* As text (all of 64 bits) or as a number. */
static bool read_signed(struct decode *decode, const json_t *value, int64_t min, int64_t max,
			int64_t *number)
{
	const char *text = json_string_value(value);
	char *end;

	if (text) {
		errno = 0;
		*number = strtoll(text, &end, 10);
		if (!*text || *end || errno || text[strspn(text, "-0123456789")])
			return decode_fail(decode, "\"%.40s\" is not an integer", text);
	} else if (json_is_integer(value)) {
		*number = json_integer_value(value);
	} else {
		return wrong_type(decode, "an integer", value);
	}
	if (*number < min || *number > max)
		return decode_fail(decode, "%" PRId64 " is not in %" PRId64 "..%" PRId64, *number,
				   min, max);
	return true;
}

/* "tcp, udp": what an enum's field may say, but for its zero value. */
static void list_values(const ProtobufCEnumDescriptor *type, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < type->n_values && n < size; i++) {
		const char *name = schema_enum_short_name(type, type->values[i].name);

		if (type->values[i].value != 0)
			n += snprintf(text + n, size - n, "%s%s", n ? ", " : "", name);
	}
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

static bool read_enum_name(struct decode *decode, const ProtobufCEnumDescriptor *type,
			   const char *name, int *number)
{
	char values[160];

	for (unsigned int i = 0; i < type->n_values; i++) {
		const char *known = type->values[i].name;

		if (!strcmp(name, known) ||
		    !strcasecmp(name, schema_enum_short_name(type, known))) {
			*number = type->values[i].value;
			return true;
		}
	}
	list_values(type, values, sizeof(values));
	return decode_fail(decode, "\"%.40s\" is not one of %s", name, values);
}

/* A number is taken even if no name stands for it, as in binary; validation refuses it. */
static bool read_enum(struct decode *decode, const ProtobufCEnumDescriptor *type,
		      const json_t *value, int *number)
{
	if (json_is_string(value))
		return read_enum_name(decode, type, json_string_value(value), number);
	if (!json_is_integer(value))
		return wrong_type(decode, "an enum value's name or number", value);
	*number = (int)json_integer_value(value);
	if (*number != json_integer_value(value))
		return decode_fail(decode, "%" JSON_INTEGER_FORMAT " is no enum value",
				   json_integer_value(value));
	return true;
}

static bool read_string(struct decode *decode, const json_t *value, char **string)
{
	if (!json_is_string(value))
		return wrong_type(decode, "a string", value);
	*string = decode_alloc(decode, json_string_length(value) + 1);
	if (!*string)
		return false;
	memcpy(*string, json_string_value(value), json_string_length(value) + 1);
	return true;
}

static bool read_binary(struct decode *decode, const json_t *value, ProtobufCBinaryData *data)
{
	const char *text = json_string_value(value);

	if (!text)
		return wrong_type(decode, "a string of base64", value);
	data->data = decode_alloc(decode, sl_base64_room(strlen(text)));
	if (!data->data)
		return false;
	return sl_base64_decode(text, data->data, &data->len) ||
	       decode_fail(decode, "is no base64");
}

static ProtobufCMessage *read_message(struct decode *decode, const ProtobufCMessageDescriptor *type,
				      const json_t *object);

static bool read_value(struct decode *decode, const ProtobufCFieldDescriptor *field,
		       const json_t *value, void *to)
{
	uint64_t number = 0;
	int64_t integer = 0;

	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)to = json_is_true(value);
		return json_is_boolean(value) || wrong_type(decode, "true or false", value);
	case PROTOBUF_C_TYPE_ENUM: return read_enum(decode, field->descriptor, value, to);
	case PROTOBUF_C_TYPE_UINT32:
		if (!read_unsigned(decode, value, UINT32_MAX, &number))
			return false;
		*(uint32_t *)to = (uint32_t)number;
		return true;
	case PROTOBUF_C_TYPE_UINT64: return read_unsigned(decode, value, UINT64_MAX, to);
	case PROTOBUF_C_TYPE_INT32:
		if (!read_signed(decode, value, INT32_MIN, INT32_MAX, &integer))
			return false;
		*(int32_t *)to = (int32_t)integer;
		return true;
	case PROTOBUF_C_TYPE_INT64: return read_signed(decode, value, INT64_MIN, INT64_MAX, to);
	case PROTOBUF_C_TYPE_STRING: return read_string(decode, value, to);
	case PROTOBUF_C_TYPE_BYTES: return read_binary(decode, value, to);
	default:
		*(ProtobufCMessage **)to = read_message(decode, field->descriptor, value);
		return *(ProtobufCMessage **)to != NULL;
	}
}

static bool read_repeated(struct decode *decode, const ProtobufCFieldDescriptor *field,
			  const json_t *array, ProtobufCMessage *message)
{
	size_t n = json_array_size(array), size = schema_value_size(field);
	char *elements;

	if (!json_is_array(array))
		return wrong_type(decode, "an array", array);
	if (n == 0)
		return true;
	elements = decode_alloc(decode, n * size);
	if (!elements)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t mark = decode_enter_index(decode, i);

		if (!read_value(decode, field, json_array_get(array, i), elements + i * size))
			return false;
		decode_leave(decode, mark);
	}
	*(char **)schema_value(field, message) = elements;
	*(size_t *)schema_quantifier(field, message) = n;
	return true;
}

/* The .proto's name or its lowerCamelCase form. */
static bool is_name_of(const char *key, const char *name)
{
	if (!strcmp(key, name))
		return true;
	for (; *name; name++, key++) {
		if (*name == '_' && name[1]) {
			if (*key != toupper((unsigned char)*++name))
				return false;
		} else if (*key != *name) {
			return false;
		}
	}
	return *key == '\0';
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
						  const char *key)
{
	for (unsigned int i = 0; i < type->n_fields; i++)
		if (is_name_of(key, type->fields[i].name))
			return &type->fields[i];
	return NULL;
}

static bool read_field(struct decode *decode, ProtobufCMessage *message,
		       const ProtobufCFieldDescriptor *field, const json_t *value)
{
	if (json_is_null(value))
		return true;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return read_repeated(decode, field, value, message);
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		uint32_t *set = schema_quantifier(field, message);

		if (*set)
			return decode_fail(decode, "excludes another field that is given");
		*set = field->id;
	}
	return read_value(decode, field, value, schema_value(field, message));
}

static bool read_fields(struct decode *decode, ProtobufCMessage *message, const json_t *object)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	bool seen[SCHEMA_FIELDS_MAX] = {false};
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		const ProtobufCFieldDescriptor *field = find_field(type, key);
		size_t mark;

		if (!field)
			return decode_fail(decode, "%s has no field \"%.64s\"", type->short_name,
					   key);
		mark = decode_enter(decode, key);
		if (seen[field - type->fields])
			return decode_fail(decode, "given twice, by both its names");
		seen[field - type->fields] = true;
		if (!read_field(decode, message, field, value))
			return false;
		decode_leave(decode, mark);
	}
	return true;
}

static ProtobufCMessage *read_message(struct decode *decode, const ProtobufCMessageDescriptor *type,
				      const json_t *object)
{
	ProtobufCMessage *message;

	bool known = json_known(type), ok;

	if (known ? !json_is_string(object) : !json_is_object(object)) {
		wrong_type(decode, known ? "a string" : "an object", object);
		return NULL;
	}
	message = decode_alloc(decode, type->sizeof_message);
	if (!message)
		return NULL;
	protobuf_c_message_init(type, message);
	ok = known ? json_known_read(decode, json_string_value(object), message)
		   : read_fields(decode, message, object);
	return ok ? message : NULL;
}

ProtobufCMessage *json_decode(struct decode *decode, const ProtobufCMessageDescriptor *type,
			      const char *text, size_t len)
{
	ProtobufCMessage *message = NULL;
	struct rpc_arena tree;
	json_error_t error;
	json_t *root;

	rpc_arena_init(&tree, decode->arena->budget, decode->arena->left);
	root = tree_load(&tree, text, len, &error);
	if (root)
		message = read_message(decode, type, root);
	else if (tree.exhausted)
		decode_too_large(decode);
	else
		decode_fail(decode, "line %d, column %d: %s", error.line, error.column, error.text);
	rpc_arena_clear(&tree);
	return message;
}
