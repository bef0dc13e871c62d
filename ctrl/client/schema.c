/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/schema.h"

#include <ctype.h>
#include <string.h>

const struct schema_enum *schema_enum(const char *name)
{
	const struct schema_enum *e = schema_enums;

	while (e->name && strcmp(e->name, name) != 0)
		e++;
	return e->name ? e : NULL;
}

const struct schema_message *schema_message(const char *name)
{
	const struct schema_message *m = schema_messages;

	while (m->name && strcmp(m->name, name) != 0)
		m++;
	return m->name ? m : NULL;
}

const struct schema_method *schema_method(const char *service, const char *method)
{
	const struct schema_method *m = schema_methods;

	while (m->service && (strcmp(m->service, service) != 0 || strcmp(m->method, method) != 0))
		m++;
	return m->service ? m : NULL;
}

static bool same_key(const char *json, const char *key, size_t len)
{
	for (; *json && len > 0; json++, key++, len--) {
		if (isupper((unsigned char)*json) && len > 1 && (*key == '-' || *key == '_')) {
			key++;
			len--;
			if (tolower((unsigned char)*json) != *key)
				return false;
		} else if (*json != *key) {
			return false;
		}
	}
	return !*json && len == 0;
}

const struct schema_field *schema_field(const struct schema_message *message, const char *key,
					size_t key_len)
{
	for (const struct schema_field *f = message->fields; f->json; f++)
		if (same_key(f->json, key, key_len))
			return f;
	return NULL;
}

bool schema_settable(const struct schema_field *field)
{
	/* The name is an argument of its own, the etag an option, pages are put together. */
	static const char *const others[] = {"name", "etag", "pageSize", "pageToken"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(field->json, others[i]) == 0)
			return false;
	return !field->output_only && field->type != SCHEMA_MESSAGE;
}
