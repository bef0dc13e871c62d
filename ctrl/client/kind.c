/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/kind.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/client.h"

const struct kind kind_virtual_server = {
	.noun = "virtual-server",
	.service = "VirtualServerService",
	.one = "VirtualServer",
	.many = "VirtualServers",
	.field = "virtualServer",
	.list = "virtualServers",
	.fields = (const struct field[]){{"address", FIELD_STRING},
					 {"port", FIELD_NUMBER},
					 {"protocol", FIELD_STRING},
					 {"scheduler", FIELD_STRING},
					 {"forwardingMode", FIELD_STRING},
					 {"backendPool", FIELD_STRING},
					 {"localAddressPool", FIELD_STRING},
					 {0}},
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"ADDRESS", "address:port", COLUMN_PAIR, NULL},
					   {"PROTOCOL", "protocol", COLUMN_TEXT, NULL},
					   {"SCHEDULER", "scheduler", COLUMN_TEXT, "wrr"},
					   {"MODE", "forwardingMode", COLUMN_TEXT, "fullnat"},
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
	.fields = (const struct field[]){{0}},
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
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
	.fields = (const struct field[]){{"address", FIELD_STRING},
					 {"port", FIELD_NUMBER},
					 {"weight", FIELD_NUMBER},
					 {0}},
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"ADDRESS", "address:port", COLUMN_PAIR, NULL},
					   {"WEIGHT", "weight", COLUMN_NUMBER, "1"},
					   {0}},
};

const struct kind kind_local_pool = {
	.noun = "local-pool",
	.service = "LocalAddressPoolService",
	.one = "LocalAddressPool",
	.many = "LocalAddressPools",
	.field = "localAddressPool",
	.list = "localAddressPools",
	.fields = (const struct field[]){{"addresses", FIELD_LIST}, {0}},
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
	.fields = (const struct field[]){{"addresses", FIELD_LIST}, {0}},
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
	.fields = (const struct field[]){{"prefix", FIELD_STRING},
					 {"gateway", FIELD_STRING},
					 {"interface", FIELD_STRING},
					 {"blackhole", FIELD_TRUTH},
					 {0}},
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"PREFIX", "prefix", COLUMN_TEXT, NULL},
					   {"GATEWAY", "gateway", COLUMN_TEXT, NULL},
					   {"INTERFACE", "interface", COLUMN_TEXT, NULL},
					   {"BLACKHOLE", "blackhole", COLUMN_TEXT, "no"},
					   {0}},
};

/* backend-pool, backend_pool and backendPool are backendPool. */
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

static json_t *read_value(enum field_type type, const char *text)
{
	char *end;
	long long number;

	switch (type) {
	case FIELD_NUMBER:
		errno = 0;
		number = strtoll(text, &end, 10);
		return isdigit((unsigned char)*text) && !*end && !errno ? json_integer(number)
									: NULL;
	case FIELD_TRUTH:
		if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return NULL;
		return json_boolean(*text == 't');
	case FIELD_LIST: return split(text);
	default: return json_string(text);
	}
}

static int complain_key(const struct kind *kind, const char *key, size_t len)
{
	char known[512] = "";

	for (const struct field *f = kind->fields; f->json; f++) {
		size_t used = strlen(known);

		snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", f->json);
	}
	if (!known[0])
		return client_usage_error("a %s has nothing to set by KEY=VALUE: use -f FILE",
					  kind->noun);
	return client_usage_error("'%.*s' is not a field of a %s; those are: %s", (int)len, key,
				  kind->noun, known);
}

int kind_assign(const struct kind *kind, json_t *resource, const char *assignment)
{
	static const char *const wanted[] = {
		[FIELD_STRING] = "text in UTF-8",
		[FIELD_NUMBER] = "a number",
		[FIELD_TRUTH] = "true or false",
		[FIELD_LIST] = "a list with commas",
	};
	size_t len = strcspn(assignment, "=");
	const struct field *f = kind->fields;
	const char *text = assignment + len + 1;
	json_t *value;

	if (!assignment[len])
		return client_usage_error("'%s': KEY=VALUE is wanted", assignment);
	while (f->json && !same_key(f->json, assignment, len))
		f++;
	if (!f->json)
		return complain_key(kind, assignment, len);
	if (!*text) {
		json_object_del(resource, f->json);
		return CLIENT_OK;
	}
	value = read_value(f->type, text);
	if (!value || json_object_set_new(resource, f->json, value) < 0)
		return client_usage_error("%s: %s is wanted", assignment, wanted[f->type]);
	return CLIENT_OK;
}
