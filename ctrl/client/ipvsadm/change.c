/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands that change services and servers, made to the configuration in memory. A
 * service is a virtual server with a pool of its own name.
 */
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"

/* What -A and -E set. */
static int set_service(json_t *service, const struct ipvs_request *request)
{
	char value[64], known[256];

	if (!ipvs_scheduler_value(request->scheduler, value, sizeof(value)))
		return ipvs_refuse("Scheduler or persistence engine not found: %s (there are %s)",
				   request->scheduler, ipvs_schedulers(known, sizeof(known)));
	json_object_set_new(service, "scheduler", json_string(value));
	if (request->by_port)
		json_object_set_new(service, "hashKey", json_string("HASH_KEY_SOURCE_IP_PORT"));
	else
		json_object_del(service, "hashKey");
	ipvs_set_persistence(service, request->persistence, request->prefix);
	if (*request->laddr_pool)
		json_object_set_new(service, "localAddressPool", json_string(request->laddr_pool));
	return IPVS_OK;
}

static int add_service(json_t *config, const struct ipvs_request *request)
{
	json_t *services = ipvs_list_of(config, "virtualServers");
	json_t *pools = ipvs_list_of(config, "backendPools");
	char name[80], pool[80];
	json_t *service;
	int result;

	if (ipvs_find_service(config, &request->service))
		return ipvs_refuse("Service already exists");
	ipvs_make_name(name, sizeof(name), services, &request->service);
	ipvs_make_name(pool, sizeof(pool), pools, &request->service);
	service = json_pack("{ss ss si ss ss}", "name", name, "address", request->service.address,
			    "port", (int)request->service.port, "protocol",
			    request->service.protocol, "backendPool", pool);
	if (!request->service.port)
		json_object_set_new(service, "portEnd", json_integer(UINT16_MAX));
	result = set_service(service, request);
	if (result != IPVS_OK) {
		json_decref(service);
		return result;
	}
	json_array_append_new(services, service);
	json_array_append_new(pools, json_pack("{ss}", "name", pool));
	return IPVS_OK;
}

/* What only this service used goes with it: its pool, and local addresses that bear its name. */
static void delete_service(json_t *config, json_t *service)
{
	json_t *pools = ipvs_list_of(config, "backendPools");
	json_t *locals = ipvs_list_of(config, "localAddressPools");
	const char *pool = ipvs_text(service, "backendPool");
	const char *local = ipvs_text(service, "localAddressPool");

	if (ipvs_users(config, "backendPool", pool) == 1)
		ipvs_remove(pools, ipvs_named(pools, pool));
	if (strcmp(local, ipvs_text(service, "name")) == 0 &&
	    ipvs_users(config, "localAddressPool", local) == 1)
		ipvs_remove(locals, ipvs_named(locals, local));
	ipvs_remove(ipvs_list_of(config, "virtualServers"), service);
}

static int flush(json_t *config)
{
	json_t *services = ipvs_list_of(config, "virtualServers");

	while (json_array_size(services))
		delete_service(config, json_array_get(services, 0));
	return IPVS_OK;
}

/* ---- real servers ---- */

/* FullNAT needs local addresses: those of the service, or the only ones that there are. */
static int give_local_addresses(json_t *config, json_t *service)
{
	json_t *locals = ipvs_list_of(config, "localAddressPools");

	if (*ipvs_text(service, "localAddressPool"))
		return IPVS_OK;
	if (json_array_size(locals) != 1)
		return ipvs_refuse("Operation not supported: FullNAT without local addresses; give "
				   "the service some by --add-laddr");
	json_object_set(service, "localAddressPool",
			json_object_get(json_array_get(locals, 0), "name"));
	return IPVS_OK;
}

/* What ipvsadm's thresholds say; without them there is no limit. */
static int set_thresholds(json_t *backend, unsigned int upper, unsigned int lower)
{
	unsigned int percent = upper ? ipvs_resume_percent(upper, lower) : 0;

	if (lower > upper)
		return ipvs_refuse(
			"Numerical result out of range: l-threshold is over u-threshold");
	if (upper && !percent)
		return ipvs_refuse("Operation not supported: l-threshold %u is no whole percentage "
				   "of u-threshold %u",
				   lower, upper);
	json_object_set_new(backend, "maxConnections", json_integer(upper));
	json_object_set_new(backend, "resumePercent", json_integer(percent));
	return IPVS_OK;
}

static int set_server(json_t *config, json_t *service, json_t *backend,
		      const struct ipvs_request *request)
{
	const struct ipvs_method *method = request->method;

	if (method->needs_local && give_local_addresses(config, service) != IPVS_OK)
		return IPVS_REFUSED;
	if (set_thresholds(backend, request->upper, request->lower) != IPVS_OK)
		return IPVS_REFUSED;
	json_object_set_new(backend, "weight", json_integer(request->weight));
	json_object_set_new(backend, "forwardingMode", json_string(method->mode));
	if (request->tunnel_port)
		json_object_set_new(backend, "guePort", json_integer(request->tunnel_port));
	else
		json_object_del(backend, "guePort");
	return IPVS_OK;
}

static int add_server(json_t *config, json_t *service, json_t *pool,
		      const struct ipvs_request *request)
{
	json_t *backends = ipvs_list_of(pool, "backends");
	json_t *backend;
	char name[80];
	int result;

	ipvs_make_name(name, sizeof(name), backends, &request->server);
	backend = json_pack("{ss ss si}", "name", name, "address", request->server.address, "port",
			    (int)request->server.port);
	result = set_server(config, service, backend, request);
	if (result == IPVS_OK)
		json_array_append(backends, backend);
	json_decref(backend);
	return result;
}

static int change_server(json_t *config, const struct ipvs_request *request)
{
	json_t *service = ipvs_find_service(config, &request->service);
	json_t *pool = service ? ipvs_pool_of(config, service) : NULL;
	json_t *backend = pool ? ipvs_find_server(pool, &request->server) : NULL;

	if (!service)
		return ipvs_refuse("Service not defined");
	if (!pool || ipvs_users(config, "backendPool", ipvs_text(pool, "name")) > 1)
		return ipvs_refuse("Operation not supported: pool '%s' serves other virtual "
				   "servers, too; change it by `sluicectl backend`",
				   ipvs_text(service, "backendPool"));
	if (request->command == IPVS_ADD_SERVER && backend)
		return ipvs_refuse("Destination already exists");
	if (request->command == IPVS_ADD_SERVER)
		return add_server(config, service, pool, request);
	if (!backend)
		return ipvs_refuse("No such destination");
	if (request->command == IPVS_EDIT_SERVER)
		return set_server(config, service, backend, request);
	ipvs_remove(json_object_get(pool, "backends"), backend);
	return IPVS_OK;
}

/* ---- timeouts ---- */

static int set_timeouts(json_t *config, const struct ipvs_request *request)
{
	static const char *const fields[] = {"tcpEstablished", "tcpFinWait", "udp"};
	json_t *timeouts = json_object_get(config, "timeouts");

	if (!timeouts) {
		timeouts = json_object();
		json_object_set_new(config, "timeouts", timeouts);
	}
	for (int i = 0; i < 3; i++)
		if (request->timeout[i])
			json_object_set_new(timeouts, fields[i], json_integer(request->timeout[i]));
	return IPVS_OK;
}

int ipvs_change(json_t *config, const struct ipvs_request *request)
{
	json_t *service;

	switch (request->command) {
	case IPVS_ADD_SERVICE: return add_service(config, request);
	case IPVS_FLUSH: return flush(config);
	case IPVS_SET: return set_timeouts(config, request);
	case IPVS_ADD_SERVER:
	case IPVS_EDIT_SERVER:
	case IPVS_DELETE_SERVER: return change_server(config, request);
	case IPVS_ADD_LADDR:
	case IPVS_DELETE_LADDR: return ipvs_change_laddr(config, request);
	default: break;
	}
	service = ipvs_find_service(config, &request->service);
	if (!service)
		return ipvs_refuse("No such service");
	if (request->command == IPVS_EDIT_SERVICE)
		return set_service(service, request);
	delete_service(config, service);
	return IPVS_OK;
}
