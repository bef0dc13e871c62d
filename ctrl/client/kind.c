/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/kind.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/client.h"
#include "ctrl/client/schema.h"

const struct kind kind_virtual_server = {
	.noun = "virtual-server",
	.service = "VirtualServerService",
	.one = "VirtualServer",
	.many = "VirtualServers",
	.field = "virtualServer",
	.list = "virtualServers",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"ADDRESS", "address:port", COLUMN_PAIR, NULL},
					   {"PROTOCOL", "protocol", COLUMN_TEXT, NULL},
					   {"SCHEDULER", "scheduler", COLUMN_TEXT, "wrr"},
					   {"POOL", "backendPool", COLUMN_TEXT, NULL},
					   {"LOCAL-POOL", "localAddressPool", COLUMN_TEXT, NULL},
					   {0}},
};

const struct kind kind_pool = {
	.noun = "pool",
	.service = "BackendPoolService",
	.one = "BackendPool",
	.many = "BackendPools",
	.field = "backendPool",
	.list = "backendPools",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"MODE", "forwardingMode", COLUMN_TEXT, "fullnat"},
					   {"BACKENDS", "backends", COLUMN_COUNT, NULL},
					   {0}},
};

const struct kind kind_backend = {
	.noun = "backend",
	.service = "BackendPoolService",
	.one = "Backend",
	.many = "Backends",
	.field = "backend",
	.list = "backends",
	.parent = "backendPool",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"ADDRESS", "address:port", COLUMN_PAIR, NULL},
					   {"WEIGHT", "weight", COLUMN_NUMBER, "1"},
					   {"MODE", "forwardingMode", COLUMN_TEXT, NULL},
					   {0}},
};

const struct kind kind_local_pool = {
	.noun = "local-pool",
	.service = "LocalAddressPoolService",
	.one = "LocalAddressPool",
	.many = "LocalAddressPools",
	.field = "localAddressPool",
	.list = "localAddressPools",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"ADDRESSES", "addresses", COLUMN_TEXT, NULL},
					   {0}},
};

const struct kind kind_interface = {
	.noun = "interface",
	.service = "InterfaceService",
	.one = "Interface",
	.many = "Interfaces",
	.field = "interface",
	.list = "interfaces",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"MAC", "mac", COLUMN_TEXT, NULL},
					   {"MTU", "mtu", COLUMN_NUMBER, NULL},
					   {"LINK-UP", "linkUp", COLUMN_TEXT, "no"},
					   {"STEERING", "steering", COLUMN_TEXT, NULL},
					   {"ADDRESSES", "addresses", COLUMN_TEXT, NULL},
					   {0}},
};

const struct kind kind_route = {
	.noun = "route",
	.service = "RouteService",
	.one = "Route",
	.many = "Routes",
	.field = "route",
	.list = "routes",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"PREFIX", "prefix", COLUMN_TEXT, NULL},
					   {"GATEWAY", "gateway", COLUMN_TEXT, NULL},
					   {"INTERFACE", "interface", COLUMN_TEXT, NULL},
					   {"BLACKHOLE", "blackhole", COLUMN_TEXT, "no"},
					   {0}},
};

const struct kind *kind_of_field(const char *json)
{
	static const struct kind *const named[] = {&kind_pool, &kind_local_pool, &kind_interface};

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (strcmp(named[i]->field, json) == 0)
			return named[i];
	return NULL;
}

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

static int complain_key(const struct kind *kind, const char *key, size_t len)
{
	char known[512] = "";

	for (const struct schema_field *f = schema_message(kind->one)->fields; f->json; f++) {
		size_t used = strlen(known);

		if (schema_settable(f))
			snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
				 f->json);
	}
	if (!known[0])
		return client_usage_error("a %s has nothing to set by KEY=VALUE: use -f FILE",
					  kind->noun);
	return client_usage_error("'%.*s' is not a field of a %s; those are: %s", (int)len, key,
				  kind->noun, known);
}

int kind_assign(const struct kind *kind, json_t *resource, const char *assignment)
{
	size_t len = strcspn(assignment, "=");
	const struct schema_field *f = schema_field(schema_message(kind->one), assignment, len);
	const char *text = assignment + len + 1;
	json_t *value;

	if (!assignment[len])
		return client_usage_error("'%s': KEY=VALUE is wanted", assignment);
	if (!f || !schema_settable(f))
		return complain_key(kind, assignment, len);
	if (!*text) {
		json_object_del(resource, f->json);
		return CLIENT_OK;
	}
	value = read_value(f, text);
	if (!value || json_object_set_new(resource, f->json, value) < 0)
		return client_usage_error("%s: %s is wanted", assignment, wanted(f));
	return CLIENT_OK;
}
