/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Written straight to the buffer, without a tree in between: of a configuration with
 * 100,000 backends that would be tens of megabytes.
 */
#include "ctrl/rpc/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <sluice/base64.h>

#include <event2/buffer.h>

#include "ctrl/rpc/json_known.h"
#include "ctrl/rpc/schema.h"

struct writer {
	struct evbuffer *out;
	bool failed; /* an append found no memory: the text has a hole */
};

static void put_bytes(struct writer *w, const char *text, size_t len)
{
	w->failed |= evbuffer_add(w->out, text, len) != 0;
}

static void put(struct writer *w, const char *text)
{
	put_bytes(w, text, strlen(text));
}

static void put_format(struct writer *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void put_format(struct writer *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	w->failed |= evbuffer_add_vprintf(w->out, format, args) < 0;
	va_end(args);
}

static void put_string(struct writer *w, const char *text)
{
	put(w, "\"");
	for (;;) {
		size_t plain = 0;

		while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' &&
		       text[plain] != '\\')
			plain++;
		put_bytes(w, text, plain);
		text += plain;
		if (*text == '\0')
			break;
		if (*text == '"' || *text == '\\')
			put_format(w, "\\%c", *text);
		else
			put_format(w, "\\u%04x", *text);
		text++;
	}
	put(w, "\"");
}

/* backend_pool -> "backendPool": */
static void put_name(struct writer *w, const char *name)
{
	char camel[72], *c = camel;

	for (; *name && c < camel + sizeof(camel) - 1; name++) {
		if (*name == '_' && name[1])
			*c++ = toupper((unsigned char)*++name);
		else
			*c++ = *name;
	}
	*c = '\0';
	put_format(w, "\"%s\":", camel);
}

static void put_message(struct writer *w, const ProtobufCMessage *message);

static void put_enum(struct writer *w, const ProtobufCEnumDescriptor *type, int number)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

	if (value)
		put_format(w, "\"%s\"", value->name);
	else
		put_format(w, "%d", number);
}

/* In pieces, each of whole groups of three bytes. */
static void put_binary(struct writer *w, const ProtobufCBinaryData *data)
{
	char piece[SL_BASE64_SIZE(768)];

	put(w, "\"");
	for (size_t i = 0; i < data->len; i += 768) {
		size_t n = data->len - i < 768 ? data->len - i : 768;

		put_bytes(w, piece, sl_base64_encode(data->data + i, n, piece));
	}
	put(w, "\"");
}

static void put_value(struct writer *w, const ProtobufCFieldDescriptor *field, const void *value)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		put(w, *(const protobuf_c_boolean *)value ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_ENUM: put_enum(w, field->descriptor, *(const int *)value); break;
	case PROTOBUF_C_TYPE_UINT32: put_format(w, "%" PRIu32, *(const uint32_t *)value); break;
	case PROTOBUF_C_TYPE_UINT64:
		put_format(w, "\"%" PRIu64 "\"", *(const uint64_t *)value);
		break;
	case PROTOBUF_C_TYPE_INT32: put_format(w, "%" PRId32, *(const int32_t *)value); break;
	case PROTOBUF_C_TYPE_INT64:
		put_format(w, "\"%" PRId64 "\"", *(const int64_t *)value);
		break;
	case PROTOBUF_C_TYPE_STRING: put_string(w, *(char *const *)value); break;
	case PROTOBUF_C_TYPE_BYTES: put_binary(w, value); break;
	default: put_message(w, *(ProtobufCMessage *const *)value); break;
	}
}

/* The elements of a repeated field, of which some were before. */
static void put_elements(struct writer *w, const ProtobufCFieldDescriptor *field,
			 const ProtobufCMessage *message, bool comma)
{
	const char *elements = *(char *const *)schema_value(field, message);
	size_t n = *(const size_t *)schema_quantifier(field, message);

	for (size_t i = 0; i < n; i++) {
		if (comma || i)
			put(w, ",");
		put_value(w, field, elements + i * schema_value_size(field));
	}
}

/* A field that proto3 does not put on the wire either. */
static bool is_absent(const ProtobufCFieldDescriptor *field, const void *message)
{
	static const uint64_t zero;
	const void *value = schema_value(field, message);

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(size_t *)schema_quantifier(field, message) == 0;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(uint32_t *)schema_quantifier(field, message) != field->id;
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return !*(char *const *)value || **(char *const *)value == '\0';
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)value)->len == 0;
	return memcmp(value, &zero, schema_value_size(field)) == 0;
}

static void put_message(struct writer *w, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	char text[JSON_KNOWN_TEXT];
	const char *comma = "";

	if (json_known_text(message, text)) {
		put_string(w, text);
		return;
	}
	put(w, "{");
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];

		if (is_absent(field, message))
			continue;
		put(w, comma);
		put_name(w, field->name);
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			put(w, "[");
			put_elements(w, field, message, false);
			put(w, "]");
		} else {
			put_value(w, field, schema_value(field, message));
		}
		comma = ",";
	}
	put(w, "}");
}

/* The list that was left open for the next part. */
static void close_list(struct writer *w, struct encode_parts *parts)
{
	if (parts->open)
		put(w, "]");
	parts->open = NULL;
}

static void put_part_field(struct writer *w, struct encode_parts *parts,
			   const ProtobufCFieldDescriptor *field, const ProtobufCMessage *part)
{
	bool goes_on = parts->open == field;

	if (!goes_on) {
		close_list(w, parts);
		put(w, parts->begun ? "," : "{");
		put_name(w, field->name);
		parts->begun = true;
	}
	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		put_value(w, field, schema_value(field, part));
		return;
	}
	if (!goes_on)
		put(w, "[");
	parts->open = field;
	put_elements(w, field, part, goes_on);
}

int json_encode_part(struct encode_parts *parts, const ProtobufCMessage *part, struct evbuffer *out)
{
	const ProtobufCMessageDescriptor *type = part->descriptor;
	struct writer w = {.out = out};

	for (unsigned int i = 0; i < type->n_fields; i++)
		if (!is_absent(&type->fields[i], part))
			put_part_field(&w, parts, &type->fields[i], part);
	return w.failed ? -ENOMEM : 0;
}

int json_encode_parts_end(struct encode_parts *parts, struct evbuffer *out)
{
	struct writer w = {.out = out};

	close_list(&w, parts);
	put(&w, parts->begun ? "}" : "{}");
	return w.failed ? -ENOMEM : 0;
}

int json_encode(const ProtobufCMessage *message, struct evbuffer *out)
{
	struct writer w = {.out = out};

	put_message(&w, message);
	return w.failed ? -ENOMEM : 0;
}

int json_encode_string(const char *text, struct evbuffer *out)
{
	struct writer w = {.out = out};

	put_string(&w, text);
	return w.failed ? -ENOMEM : 0;
}
