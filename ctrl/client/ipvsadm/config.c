/* SPDX-License-Identifier: BSD-3-Clause */
/* The appliance's configuration, seen as virtual services with real servers. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/yaml_out.h"

unsigned int ipvs_line;

int ipvs_refuse(const char *format, ...)
{
	va_list args;

	if (ipvs_line)
		fprintf(stderr, "line %u: ", ipvs_line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	return IPVS_REFUSED;
}

json_t *ipvs_config_load(const struct client *client)
{
	struct rpc_failure why;
	json_t *config;

	if (rpc_call(client, "ConfigService", "GetConfig", json_object(), &config, &why) ==
	    CLIENT_OK)
		return config;
	ipvs_refuse("Can't initialize ipvs: %s", why.message);
	return NULL;
}

int ipvs_config_store(const struct client *client, json_t *config, const char *comment, bool *again)
{
	struct rpc_failure why;
	json_t *reply;

	*again = false;
	if (rpc_call(client, "ConfigService", "ApplyConfig",
		     json_pack("{so ss}", "config", config, "comment", comment), &reply,
		     &why) == CLIENT_OK) {
		json_decref(reply);
		return IPVS_OK;
	}
	*again = strcmp(why.code, "aborted") == 0;
	return *again ? IPVS_REFUSED : ipvs_refuse("Operation not supported: %s", why.message);
}

/* ---- reading it ---- */

json_t *ipvs_list_of(json_t *object, const char *field)
{
	json_t *list = json_object_get(object, field);

	if (!list) {
		list = json_array();
		json_object_set_new(object, field, list);
	}
	return list;
}

const char *ipvs_text(json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

unsigned int ipvs_number(json_t *object, const char *field)
{
	return (unsigned int)json_integer_value(json_object_get(object, field));
}

json_t *ipvs_named(json_t *list, const char *name)
{
	json_t *element;
	size_t i;

	json_array_foreach (list, i, element)
		if (strcmp(ipvs_text(element, "name"), name) == 0)
			return element;
	return NULL;
}

void ipvs_remove(json_t *list, json_t *element)
{
	for (size_t i = json_array_size(list); i-- > 0;)
		if (json_array_get(list, i) == element)
			json_array_remove(list, i);
}

static bool is_at(json_t *object, const struct ipvs_endpoint *endpoint)
{
	return ipvs_number(object, "port") == endpoint->port &&
	       ipvs_same_address(ipvs_text(object, "address"), endpoint->address);
}

json_t *ipvs_find_service(json_t *config, const struct ipvs_endpoint *service)
{
	json_t *server;
	size_t i;

	json_array_foreach (ipvs_list_of(config, "virtualServers"), i, server)
		if (strcmp(ipvs_text(server, "protocol"), service->protocol) == 0 &&
		    is_at(server, service))
			return server;
	return NULL;
}

bool ipvs_is_group(json_t *service)
{
	return (ipvs_number(service, "port") && ipvs_number(service, "portEnd")) ||
	       json_array_size(json_object_get(service, "endpoints"));
}

json_t *ipvs_pool_of(json_t *config, json_t *service)
{
	return ipvs_named(ipvs_list_of(config, "backendPools"), ipvs_text(service, "backendPool"));
}

json_t *ipvs_find_server(json_t *pool, const struct ipvs_endpoint *server)
{
	json_t *backend;
	size_t i;

	json_array_foreach (json_object_get(pool, "backends"), i, backend)
		if (is_at(backend, server))
			return backend;
	return NULL;
}

unsigned int ipvs_users(json_t *config, const char *field, const char *name)
{
	unsigned int n = 0;
	json_t *server;
	size_t i;

	json_array_foreach (ipvs_list_of(config, "virtualServers"), i, server)
		n += strcmp(ipvs_text(server, field), name) == 0;
	return n;
}

const struct ipvs_method *ipvs_method_of(json_t *pool, json_t *backend)
{
	const char *mode = ipvs_text(backend, "forwardingMode");
	const struct ipvs_method *method;
	char buffer[32];

	if (!*mode || strcmp(mode, "FORWARDING_MODE_UNSPECIFIED") == 0)
		mode = ipvs_text(pool, "forwardingMode");
	method = ipvs_method_by_mode(enum_short("forwardingMode", mode, buffer, sizeof(buffer)));
	return method ? method : ipvs_method_by_mode("fullnat");
}

/* ---- names ---- */

void ipvs_make_name(char *buffer, size_t size, json_t *list, const struct ipvs_endpoint *endpoint)
{
	const char *protocol = !endpoint->protocol                               ? ""
			       : strcmp(endpoint->protocol, "PROTOCOL_UDP") == 0 ? "udp-"
										 : "tcp-";
	size_t len = (size_t)snprintf(buffer, size, "%s%s-%u", protocol, endpoint->address,
				      endpoint->port);

	for (char *c = buffer; *c; c++)
		if (*c == '.' || *c == ':')
			*c = '-';
	if (buffer[0] == '-') /* of "::1" */
		buffer[0] = '0';
	for (unsigned int n = 2; ipvs_named(list, buffer); n++)
		snprintf(buffer + len, size - len, "-%u", n);
}

/* ---- the order of listings ---- */

static int by_endpoint(const void *left, const void *right)
{
	json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;

	return ipvs_compare_endpoints(ipvs_text(a, "address"), ipvs_number(a, "port"),
				      ipvs_text(b, "address"), ipvs_number(b, "port"));
}

/* By family, protocol and endpoint. */
static int by_service(const void *left, const void *right)
{
	json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
	bool six = ipvs_is_six(ipvs_text(a, "address"));
	int order = six - ipvs_is_six(ipvs_text(b, "address"));

	if (!order)
		order = strcmp(ipvs_text(a, "protocol"), ipvs_text(b, "protocol"));
	return order ? order : by_endpoint(left, right);
}

static json_t *sorted_by(json_t *list, int (*order)(const void *, const void *))
{
	size_t n = json_array_size(list), i;
	json_t **elements = calloc(n ? n : 1, sizeof(json_t *));
	json_t *sorted = json_array(), *element;

	if (!elements)
		return sorted;
	json_array_foreach (list, i, element)
		elements[i] = element;
	if (order)
		qsort(elements, n, sizeof(json_t *), order);
	for (i = 0; i < n; i++)
		json_array_append(sorted, elements[i]);
	free(elements);
	return sorted;
}

json_t *ipvs_sorted_services(json_t *config, bool sort)
{
	return sorted_by(ipvs_list_of(config, "virtualServers"), sort ? by_service : NULL);
}

json_t *ipvs_sorted_servers(json_t *pool, bool sort)
{
	return sorted_by(json_object_get(pool, "backends"), sort ? by_endpoint : NULL);
}
