/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPVS's local addresses of a service (--add-laddr, --del-laddr, --get-laddr): a local address
 * pool that bears the service's name.
 */
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"

/* The place of the address in the pool's list, or its size. */
static size_t find_address(json_t *addresses, const char *address)
{
	json_t *one;
	size_t i;

	json_array_foreach (addresses, i, one)
		if (ipvs_same_address(json_string_value(one), address))
			return i;
	return json_array_size(addresses);
}

static json_t *make_pool(json_t *config, json_t *service)
{
	json_t *locals = ipvs_list_of(config, "localAddressPools");
	json_t *pool = json_pack("{sO}", "name", json_object_get(service, "name"));

	json_array_append_new(locals, pool);
	json_object_set(service, "localAddressPool", json_object_get(service, "name"));
	return pool;
}

static int remove_address(json_t *config, json_t *service, json_t *pool, size_t place)
{
	json_t *addresses = json_object_get(pool, "addresses");

	if (place == json_array_size(addresses))
		return ipvs_refuse("No such local address");
	json_array_remove(addresses, place);
	if (json_array_size(addresses))
		return IPVS_OK;
	ipvs_remove(ipvs_list_of(config, "localAddressPools"), pool);
	json_object_del(service, "localAddressPool");
	return IPVS_OK;
}

int ipvs_change_laddr(json_t *config, const struct ipvs_request *request)
{
	json_t *service = ipvs_find_service(config, &request->service);
	json_t *locals = ipvs_list_of(config, "localAddressPools");
	const char *name = service ? ipvs_text(service, "localAddressPool") : "";
	json_t *pool = *name ? ipvs_named(locals, name) : NULL;
	size_t place = find_address(json_object_get(pool, "addresses"), request->laddr);

	if (!service)
		return ipvs_refuse("No such service");
	if (pool && ipvs_users(config, "localAddressPool", name) > 1)
		return ipvs_refuse("Operation not supported: local pool '%s' is of other virtual "
				   "servers, too; change it by `sluicectl local-pool`",
				   name);
	if (request->command == IPVS_DELETE_LADDR)
		return remove_address(config, service, pool, place);
	if (!pool)
		pool = make_pool(config, service);
	if (place < json_array_size(json_object_get(pool, "addresses")))
		return ipvs_refuse("Local address already exists");
	json_array_append_new(ipvs_list_of(pool, "addresses"), json_string(request->laddr));
	return IPVS_OK;
}

static void print_service(json_t *config, json_t *service, bool numeric)
{
	json_t *pool = ipvs_named(ipvs_list_of(config, "localAddressPools"),
				  ipvs_text(service, "localAddressPool"));
	json_t *addresses = json_object_get(pool, "addresses"), *address;
	char where[300];
	size_t i;

	ipvs_print_endpoint(
		where, sizeof(where), ipvs_text(service, "address"), ipvs_number(service, "port"),
		strcmp(ipvs_text(service, "protocol"), "PROTOCOL_UDP") == 0 ? "udp" : "tcp",
		numeric);
	printf("%-20s %-8zu \n", where, json_array_size(addresses));
	json_array_foreach (addresses, i, address)
		printf("%-20s %-8s %s\n", "", "", json_string_value(address));
}

int ipvs_list_laddr(const struct client *client, const struct ipvs_request *request)
{
	json_t *config = ipvs_config_load(client), *sorted, *service;
	bool one = request->given & IPVS_SERVICE;
	size_t i;

	if (!config)
		return IPVS_NO_DAEMON;
	service = one ? ipvs_find_service(config, &request->service) : NULL;
	if (one && !service) {
		json_decref(config);
		ipvs_refuse("No such service");
		return IPVS_NOT_THERE;
	}
	printf("%-20s %-8s %s\n", "VIP:VPORT", "TOTAL", "SNAT_IP");
	sorted = ipvs_sorted_services(config, true);
	if (one)
		print_service(config, service, request->given & IPVS_NUMERIC);
	else
		json_array_foreach (sorted, i, service)
			print_service(config, service, request->given & IPVS_NUMERIC);
	json_decref(sorted);
	json_decref(config);
	return IPVS_OK;
}
