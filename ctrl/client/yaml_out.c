/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/yaml_out.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <yaml.h>

#include "ctrl/client/yaml_scalar.h"

static bool emit_value(yaml_emitter_t *out, const char *field, json_t *value);

/* forwardingMode -> forwarding_mode, or FORWARDING_MODE. */
static void snake(const char *camel, bool upper, char *buffer, size_t size)
{
	size_t n = 0;

	for (; *camel && n + 2 < size; camel++) {
		unsigned char c = (unsigned char)*camel;

		if (isupper(c))
			buffer[n++] = '_';
		buffer[n++] = (char)(upper ? toupper(c) : tolower(c));
	}
	buffer[n] = '\0';
}

const char *enum_short(const char *field, const char *value, char *buffer, size_t size)
{
	char prefix[64];
	size_t len, n = 0;

	snake(field, true, prefix, sizeof(prefix));
	len = strlen(prefix);
	if (!len || strncmp(value, prefix, len) != 0 || value[len] != '_')
		return value;
	for (value += len + 1; *value && n + 1 < size; value++)
		buffer[n++] = (char)tolower((unsigned char)*value);
	buffer[n] = '\0';
	return buffer;
}

static bool emit(yaml_emitter_t *out, yaml_event_t *event, int made)
{
	return made && yaml_emitter_emit(out, event);
}

static bool emit_scalar(yaml_emitter_t *out, const char *text, yaml_scalar_style_t style)
{
	yaml_event_t e;

	return emit(out, &e,
		    yaml_scalar_event_initialize(&e, NULL, NULL, (const yaml_char_t *)text,
						 (int)strlen(text), 1, 1, style));
}

static bool emit_string(yaml_emitter_t *out, const char *field, const char *text)
{
	char buffer[64];

	text = enum_short(field, text, buffer, sizeof(buffer));
	return emit_scalar(out, text,
			   yaml_scalar_is_typed(text, strlen(text))
				   ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
				   : YAML_PLAIN_SCALAR_STYLE);
}

static bool emit_object(yaml_emitter_t *out, json_t *object)
{
	yaml_event_t e;
	const char *key;
	json_t *value;

	if (!emit(out, &e,
		  yaml_mapping_start_event_initialize(&e, NULL, NULL, 1,
						      json_object_size(object)
							      ? YAML_BLOCK_MAPPING_STYLE
							      : YAML_FLOW_MAPPING_STYLE)))
		return false;
	json_object_foreach (object, key, value) {
		char name[64];

		snake(key, false, name, sizeof(name));
		if (!emit_scalar(out, name, YAML_PLAIN_SCALAR_STYLE) ||
		    !emit_value(out, key, value))
			return false;
	}
	return emit(out, &e, yaml_mapping_end_event_initialize(&e));
}

/* Scalars stand in one line: [a, b]. */
static bool emit_array(yaml_emitter_t *out, const char *field, json_t *array)
{
	json_t *first = json_array_get(array, 0);
	bool block = json_is_object(first) || json_is_array(first);
	yaml_event_t e;
	json_t *value;
	size_t i;

	if (!emit(out, &e,
		  yaml_sequence_start_event_initialize(&e, NULL, NULL, 1,
						       block ? YAML_BLOCK_SEQUENCE_STYLE
							     : YAML_FLOW_SEQUENCE_STYLE)))
		return false;
	json_array_foreach (array, i, value) {
		if (!emit_value(out, field, value))
			return false;
	}
	return emit(out, &e, yaml_sequence_end_event_initialize(&e));
}

static bool emit_value(yaml_emitter_t *out, const char *field, json_t *value)
{
	char number[32];

	switch (json_typeof(value)) {
	case JSON_OBJECT: return emit_object(out, value);
	case JSON_ARRAY: return emit_array(out, field, value);
	case JSON_STRING: return emit_string(out, field, json_string_value(value));
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		return emit_scalar(out, number, YAML_PLAIN_SCALAR_STYLE);
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.17g", json_real_value(value));
		return emit_scalar(out, number, YAML_PLAIN_SCALAR_STYLE);
	case JSON_TRUE: return emit_scalar(out, "true", YAML_PLAIN_SCALAR_STYLE);
	case JSON_FALSE: return emit_scalar(out, "false", YAML_PLAIN_SCALAR_STYLE);
	default: return emit_scalar(out, "null", YAML_PLAIN_SCALAR_STYLE);
	}
}

int yaml_print(FILE *to, json_t *value)
{
	yaml_emitter_t out;
	yaml_event_t e;
	bool good;

	if (!yaml_emitter_initialize(&out))
		return -ENOMEM;
	yaml_emitter_set_output_file(&out, to);
	yaml_emitter_set_unicode(&out, 1);
	yaml_emitter_set_width(&out, -1);
	good = emit(&out, &e, yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING)) &&
	       emit(&out, &e, yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1)) &&
	       emit_value(&out, "", value) &&
	       emit(&out, &e, yaml_document_end_event_initialize(&e, 1)) &&
	       emit(&out, &e, yaml_stream_end_event_initialize(&e));
	yaml_emitter_delete(&out);
	return good ? 0 : -EIO;
}
