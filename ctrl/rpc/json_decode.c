/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The text is read by the message's descriptor, straight into the message: what no field is there
 * for is refused where it stands, so nesting and memory are bounded by the schema.
 */
#include "ctrl/rpc/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sluice/base64.h>

#include "ctrl/rpc/json_known.h"
#include "ctrl/rpc/json_text.h"
#include "ctrl/rpc/schema.h"

static const char *type_name(const struct json_value *value)
{
	switch (value->type) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER: return "a number";
	case JSON_REAL: return "a number with a fraction or exponent";
	case JSON_NULL: return "null";
	default: return "a boolean";
	}
}

static bool wrong_type(struct decode *decode, const char *expected, const struct json_value *value)
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

static bool read_unsigned(struct decode *decode, const struct json_value *value, uint64_t max,
			  uint64_t *number)
{
	if (value->type == JSON_STRING) {
		if (!parse_digits(value->string, number) || *number > max)
			return decode_fail(decode, "\"%.40s\" is not a number in 0..%" PRIu64,
					   value->string, max);
		return true;
	}
	if (value->type != JSON_INTEGER)
		return wrong_type(decode, "an integer", value);
	*number = (uint64_t)value->integer;
	if (value->integer < 0 || *number > max)
		return decode_fail(decode, "%" PRId64 " is not in 0..%" PRIu64, value->integer,
				   max);
	return true;
}

/* As text (all of 64 bits) or as a number. */
static bool read_signed(struct decode *decode, const struct json_value *value, int64_t min,
			int64_t max, int64_t *number)
{
	const char *text = value->string;
	char *end;

	if (text) {
		errno = 0;
		*number = strtoll(text, &end, 10);
		if (!*text || *end || errno || text[strspn(text, "-0123456789")])
			return decode_fail(decode, "\"%.40s\" is not an integer", text);
	} else if (value->type == JSON_INTEGER) {
		*number = value->integer;
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
		      const struct json_value *value, int *number)
{
	if (value->type == JSON_STRING)
		return read_enum_name(decode, type, value->string, number);
	if (value->type != JSON_INTEGER)
		return wrong_type(decode, "an enum value's name or number", value);
	*number = (int)value->integer;
	if (*number != value->integer)
		return decode_fail(decode, "%" PRId64 " is no enum value", value->integer);
	return true;
}

static bool read_string(struct decode *decode, const struct json_value *value, char **string)
{
	*string = value->string;
	return *string || wrong_type(decode, "a string", value);
}

static bool read_binary(struct decode *decode, const struct json_value *value,
			ProtobufCBinaryData *data)
{
	const char *text = value->string;

	if (!text)
		return wrong_type(decode, "a string of base64", value);
	data->data = decode_alloc(decode, sl_base64_room(strlen(text)));
	if (!data->data)
		return false;
	return sl_base64_decode(text, data->data, &data->len) ||
	       decode_fail(decode, "is no base64");
}

static ProtobufCMessage *read_message(struct json_text *text,
				      const ProtobufCMessageDescriptor *type,
				      const struct json_value *value);

static bool read_value(struct json_text *text, const ProtobufCFieldDescriptor *field,
		       const struct json_value *value, void *to)
{
	struct decode *decode = text->decode;
	uint64_t number = 0;
	int64_t integer = 0;

	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)to = value->type == JSON_TRUE;
		return value->type == JSON_TRUE || value->type == JSON_FALSE ||
		       wrong_type(decode, "true or false", value);
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
		*(ProtobufCMessage **)to = read_message(text, field->descriptor, value);
		return *(ProtobufCMessage **)to != NULL;
	}
}

/* Room for one more of n elements: twice as much when it is used up. NULL: said. */
static char *grow(struct decode *decode, char *elements, size_t n, size_t *room, size_t size)
{
	char *larger;

	if (n < *room)
		return elements;
	*room = *room ? 2 * *room : 4;
	larger = decode_alloc(decode, *room * size);
	if (larger && n)
		memcpy(larger, elements, n * size);
	return larger;
}

static bool read_elements(struct json_text *text, const ProtobufCFieldDescriptor *field,
			  char **elements, size_t *n)
{
	struct decode *decode = text->decode;
	size_t room = 0, size = schema_value_size(field);
	struct json_value value;
	bool more;

	for (*n = 0;; ++*n) {
		if (!json_text_element(text, *n == 0, &more))
			return false;
		if (!more)
			return true;
		if (!json_text_value(text, &value))
			return false;
		*elements = grow(decode, *elements, *n, &room, size);
		if (!*elements)
			return false;
		decode_enter_index(decode, *n);
		if (!read_value(text, field, &value, *elements + *n * size))
			return false;
		decode_leave(decode, decode->depth - 1);
	}
}

static bool read_repeated(struct json_text *text, const ProtobufCFieldDescriptor *field,
			  const struct json_value *value, ProtobufCMessage *message)
{
	char *elements = NULL;
	size_t n;

	if (value->type != JSON_ARRAY)
		return wrong_type(text->decode, "an array", value);
	if (!read_elements(text, field, &elements, &n))
		return false;
	if (n) {
		*(char **)schema_value(field, message) = elements;
		*(size_t *)schema_quantifier(field, message) = n;
	}
	return true;
}

/* The .proto's name or its lowerCamelCase form. */
static bool is_name_of(const struct json_key *key, const char *name)
{
	const char *at = key->at, *end = at + key->len;

	if (key->len == strlen(name) && !memcmp(at, name, key->len))
		return true;
	for (; *name; name++, at++) {
		if (at == end)
			return false;
		if (*name == '_' && name[1]) {
			if (*at != toupper((unsigned char)*++name))
				return false;
		} else if (*at != *name) {
			return false;
		}
	}
	return at == end;
}

/* Most texts name fields in the order of the .proto: looked for from the one after the last. */
static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
						  const struct json_key *key, unsigned int *next)
{
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[(*next + i) % type->n_fields];

		if (is_name_of(key, field->name)) {
			*next = (unsigned int)(field - type->fields) + 1;
			return field;
		}
	}
	return NULL;
}

static bool read_field(struct json_text *text, ProtobufCMessage *message,
		       const ProtobufCFieldDescriptor *field)
{
	struct json_value value;

	if (!json_text_value(text, &value))
		return false;
	if (value.type == JSON_NULL)
		return true;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return read_repeated(text, field, &value, message);
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		uint32_t *set = schema_quantifier(field, message);

		if (*set)
			return decode_fail(text->decode, "excludes another field that is given");
		*set = field->id;
	}
	return read_value(text, field, &value, schema_value(field, message));
}

static bool read_fields(struct json_text *text, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	struct decode *decode = text->decode;
	bool seen[SCHEMA_FIELDS_MAX] = {false}, first = true, more;
	unsigned int next = 0;
	struct json_key key;

	for (;; first = false) {
		const ProtobufCFieldDescriptor *field;

		if (!json_text_member(text, first, &key, &more))
			return false;
		if (!more)
			return true;
		field = find_field(type, &key, &next);
		if (!field)
			return decode_fail(decode, "%s has no field \"%.*s\"", type->short_name,
					   key.len < 64 ? (int)key.len : 64, key.at);
		decode_enter(decode, key.at, key.len);
		if (seen[field - type->fields])
			return decode_fail(decode, "given twice");
		seen[field - type->fields] = true;
		if (!read_field(text, message, field))
			return false;
		decode_leave(decode, decode->depth - 1);
	}
}

static ProtobufCMessage *read_message(struct json_text *text,
				      const ProtobufCMessageDescriptor *type,
				      const struct json_value *value)
{
	ProtobufCMessage *message;
	bool known = json_known(type), ok;

	if (value->type != (known ? JSON_STRING : JSON_OBJECT)) {
		wrong_type(text->decode, known ? "a string" : "an object", value);
		return NULL;
	}
	message = decode_alloc(text->decode, type->sizeof_message);
	if (!message)
		return NULL;
	protobuf_c_message_init(type, message);
	ok = known ? json_known_read(text->decode, value->string, message)
		   : read_fields(text, message);
	return ok ? message : NULL;
}

ProtobufCMessage *json_decode(struct decode *decode, const ProtobufCMessageDescriptor *type,
			      const char *text, size_t len)
{
	struct json_text t = {decode, text, text, text + len};
	ProtobufCMessage *message;
	struct json_value root;

	if (!json_text_value(&t, &root))
		return NULL;
	message = read_message(&t, type, &root);
	return message && json_text_end(&t) ? message : NULL;
}
