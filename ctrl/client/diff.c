/* SPDX-License-Identifier: BSD-3-Clause */
/* `sluicectl diff`, and the differences that a dry run shows. */
#include "ctrl/client/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/file.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/schema.h"
#include "ctrl/client/term.h"
#include "ctrl/client/yaml_out.h"

/* The resource in a Resource, whatever its kind. */
static json_t *resource_of(json_t *change, const char *side)
{
	json_t *one_of = json_object_get(change, side);

	return json_object_iter_value(json_object_iter(one_of));
}

static const char *kind_of(json_t *change, const char *side)
{
	return json_object_iter_key(json_object_iter(json_object_get(change, side)));
}

/* A field that the .proto calls `name` (snake_case), and its name in JSON. */
static json_t *field_of(json_t *resource, const char *name, const char **json_name)
{
	const char *key;
	json_t *value;

	json_object_foreach (resource, key, value) {
		struct schema_field as_field = {.json = key};
		struct schema_message as_message = {"",
						    (const struct schema_field[]){as_field, {0}}};

		if (schema_field(&as_message, name, strlen(name))) {
			*json_name = key;
			return value;
		}
	}
	return NULL;
}

static void print_value(const char *json_name, json_t *value)
{
	char buffer[64], *text;

	if (!value) {
		printf("-");
	} else if (json_is_string(value)) {
		printf("%s",
		       enum_short(json_name, json_string_value(value), buffer, sizeof(buffer)));
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		printf("%s", text ? text : "?");
		free(text);
	}
}

/* "    weight: 1 -> 5" for each field that differs. */
static void print_fields(json_t *change)
{
	json_t *before = resource_of(change, "before"), *after = resource_of(change, "after");
	json_t *field;
	size_t i;

	json_array_foreach (json_object_get(change, "fields"), i, field) {
		const char *name = json_string_value(field), *json_name = "";
		json_t *old = field_of(before, name, &json_name);
		json_t *new = field_of(after, name, &json_name);

		printf("    %s: ", name);
		print_value(json_name, old);
		printf(" -> ");
		print_value(json_name, new);
		printf("\n");
	}
}

void diff_print(json_t *changes)
{
	bool colours = term_colours(stdout);
	json_t *change;
	size_t i;

	json_array_foreach (changes, i, change) {
		const char *name = json_string_value(json_object_get(change, "resource"));
		bool before = kind_of(change, "before"), after = kind_of(change, "after");
		const char *colour = !before ? TERM_GREEN : !after ? TERM_RED : TERM_YELLOW;

		printf("%s%c %s%s\n", colours ? colour : "",
		       !before  ? '+'
		       : !after ? '-'
				: '~',
		       name ? name : "?", colours ? TERM_PLAIN : "");
		if (before && after)
			print_fields(change);
	}
}

const char *diff_counts(json_t *answer, char *buffer, size_t size)
{
	static const char *const fields[] = {"created", "updated", "deleted"};
	size_t used = 0;

	buffer[0] = '\0';
	for (int i = 0; i < 3 && used < size; i++)
		used += (size_t)snprintf(
			buffer + used, size - used, "%s%lld %s", i ? ", " : "",
			(long long)json_integer_value(json_object_get(answer, fields[i])),
			fields[i]);
	return buffer;
}

/* ---- the command ---- */

static int read_revision(const char *text, json_t *request, const char *field)
{
	unsigned long revision;

	if (!observe_number(text, &revision))
		return client_usage_error("'%s' is not the number of a revision", text);
	json_object_set_new(request, field, json_integer((json_int_t)revision));
	return CLIENT_OK;
}

/* With a file: from the current configuration to it. Else between two revisions. */
static int make_request(const struct client *client, int argc, char **argv, struct file *file,
			json_t *request)
{
	int result;

	if (client->file && argc)
		return client_usage_error("revisions, or -f FILE");
	if (client->file) {
		result = file_load(file, client->file);
		json_object_set(request, "config", file->value);
		return result;
	}
	if (!argc)
		return client_usage_error("diff what? -f FILE, or one or two revisions");
	result = read_revision(argv[0], request, "baseRevision");
	if (result == CLIENT_OK)
		result = read_revision(argc > 1 ? argv[1] : "0", request, "revision");
	return result;
}

int diff_run(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = json_object(), *reply;
	struct rpc_failure why;
	struct file file = {0};
	char counts[128];
	int result = make_request(client, argc, argv, &file, request);

	(void)noun;
	if (result != CLIENT_OK) {
		json_decref(request);
		file_free(&file);
		return result;
	}
	result = rpc_call(client, "ConfigService", "DiffConfig", request, &reply, &why);
	if (result != CLIENT_OK) {
		result = file_complain(&file, result, &why);
	} else if (client->output != CLIENT_TABLE) {
		result = client_print(client, reply);
	} else {
		diff_print(json_object_get(reply, "changes"));
		printf("%s\n", diff_counts(reply, counts, sizeof(counts)));
		json_decref(reply);
	}
	file_free(&file);
	return result;
}
