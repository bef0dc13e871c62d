/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/assign.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/client.h"
#include "ctrl/client/schema.h"

/* Elements by commas; NULL when memory is short. */
static json_t *split(const char *text)
{
	json_t *list = json_array();

	while (list && *text) {
		size_t len = strcspn(text, ",");

		if (json_array_append_new(list, json_stringn(text, len)) < 0) {
			json_decref(list);
			return NULL;
		}
		text += len + (text[len] == ',');
	}
	return list;
}

static json_t *read_value(const struct schema_field *field, const char *text)
{
	char *end;
	long long number;

	if (field->list)
		return split(text);
	switch (field->type) {
	case SCHEMA_NUMBER:
		errno = 0;
		number = strtoll(text, &end, 10);
		return isdigit((unsigned char)*text) && !*end && !errno ? json_integer(number)
									: NULL;
	case SCHEMA_TRUTH:
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return NULL;
		return json_boolean(*text == 't');
	default: return json_string(text);
	}
}

static const char *wanted(const struct schema_field *field)
{
	if (field->list)
		return "a list with commas";
	switch (field->type) {
	case SCHEMA_NUMBER: return "a number";
	case SCHEMA_TRUTH: return "true or false";
	default: return "text in UTF-8";
	}
}

static int complain_key(const struct schema_message *message, const char *what, const char *key,
			size_t len)
{
	char known[512] = "";

	for (const struct schema_field *f = message->fields; f->json; f++) {
		size_t used = strlen(known);

		if (schema_settable(f))
			snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
				 f->json);
	}
	if (!known[0])
		return client_usage_error("%s: there is nothing to set by KEY=VALUE: use -f FILE",
					  what);
	return client_usage_error("'%.*s' is not a key of %s; those are: %s", (int)len, key, what,
				  known);
}

int assign(const char *message, const char *what, json_t *object, const char *assignment)
{
	size_t len = strcspn(assignment, "=");
	const struct schema_message *m = schema_message(message);
	const struct schema_field *f = schema_field(m, assignment, len);
	const char *text = assignment + len + 1;
	json_t *value;

	if (!assignment[len])
		return client_usage_error("'%s': KEY=VALUE is wanted", assignment);
	if (!f || !schema_settable(f))
		return complain_key(m, what, assignment, len);
	if (!*text) {
		json_object_del(object, f->json);
		return CLIENT_OK;
	}
	value = read_value(f, text);
	if (!value || json_object_set_new(object, f->json, value) < 0)
		return client_usage_error("%s: %s is wanted", assignment, wanted(f));
	return CLIENT_OK;
}
