/* SPDX-License-Identifier: BSD-3-Clause */
/* -S: the rules as commands, which -R takes back. */
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"

/* " -t 192.0.2.1:80" */
static void service_option(char *buffer, size_t size, json_t *service, bool numeric)
{
	bool udp = strcmp(ipvs_text(service, "protocol"), "PROTOCOL_UDP") == 0;
	char where[300];

	ipvs_print_endpoint(where, sizeof(where), ipvs_text(service, "address"),
			    ipvs_number(service, "port"), udp ? "udp" : "tcp", numeric);
	snprintf(buffer, size, "-%c %s", udp ? 'u' : 't', where);
}

/* Local addresses that are the service's own; of a pool that others may have, its name. */
static void save_local(json_t *config, json_t *service, const char *option)
{
	json_t *pool =
		ipvs_named(ipvs_list_of(config, "localAddressPools"), ipvs_text(service, "name"));
	json_t *address;
	size_t i;

	json_array_foreach (json_object_get(pool, "addresses"), i, address)
		printf("--add-laddr %s --laddr %s\n", option, json_string_value(address));
}

static void save_tunnel(const struct ipvs_method *method, json_t *backend)
{
	if (method->tunnel)
		printf(" --tun-type %s", method->tunnel);
	if (method->tunnel && strcmp(method->tunnel, "gue") == 0)
		printf(" --tun-port %u", ipvs_gue_port(backend));
	if (method->tunnel && strcmp(method->tunnel, "ipip") != 0)
		printf(strcmp(method->tunnel, "gue") == 0 &&
				       ipvs_gue_checksum(ipvs_text(backend, "address"))
			       ? " --tun-csum"
			       : " --tun-nocsum");
}

static void save_persistence(json_t *service)
{
	char netmask[INET6_ADDRSTRLEN];

	if (ipvs_persistence(service))
		printf(" -p %u", ipvs_persistence(service));
	if (ipvs_persistence(service) && ipvs_netmask(service, netmask, sizeof(netmask)))
		printf(" -M %s", netmask);
}

static void save_server(json_t *service, json_t *pool, json_t *backend, const char *option,
			bool numeric)
{
	const struct ipvs_method *method = ipvs_method_of(pool, backend);
	bool udp = strcmp(ipvs_text(service, "protocol"), "PROTOCOL_UDP") == 0;
	json_t *weight = json_object_get(backend, "weight");
	char where[300];

	ipvs_print_endpoint(where, sizeof(where), ipvs_text(backend, "address"),
			    ipvs_number(backend, "port"), udp ? "udp" : "tcp", numeric);
	printf("-a %s -r %s %s -w %d", option, where, method->option,
	       weight ? (int)json_integer_value(weight) : 1);
	save_tunnel(method, backend);
	if (ipvs_upper_threshold(backend))
		printf(" -x %u", ipvs_upper_threshold(backend));
	if (ipvs_lower_threshold(backend))
		printf(" -y %u", ipvs_lower_threshold(backend));
	printf("\n");
}

static void save_service(json_t *config, json_t *service, bool numeric)
{
	json_t *pool = ipvs_pool_of(config, service), *backend;
	json_t *sorted = ipvs_sorted_servers(pool, true);
	const char *local = ipvs_text(service, "localAddressPool");
	bool own = strcmp(local, ipvs_text(service, "name")) == 0;
	const char *flags = ipvs_scheduler_flags(service);
	char option[320], scheduler[64];
	size_t i;

	service_option(option, sizeof(option), service, numeric);
	printf("-A %s -s %s", option,
	       ipvs_scheduler_name(ipvs_text(service, "scheduler"), scheduler, sizeof(scheduler)));
	save_persistence(service);
	if (*flags)
		printf(" -b %s", flags);
	printf(*local && !own ? " --laddr-pool %s\n" : "\n", local);
	if (own)
		save_local(config, service, option);
	json_array_foreach (sorted, i, backend)
		save_server(service, pool, backend, option, numeric);
	json_decref(sorted);
}

/* What a service has that ipvsadm has no words for; NULL: nothing. */
static const char *unsayable(json_t *service, json_t *pool)
{
	static const char *const fields[][2] = {
		{"maxConnections", "max_connections"},
		{"expireQuiescent", "expire_quiescent"},
		{"maxMss", "max_mss"},
	};
	static const char *const pool_fields[][2] = {
		{"mhTableSize", "mh_table_size"},
		{"slowStartSeconds", "slow_start_seconds"},
	};
	const char *key = ipvs_text(service, "hashKey");

	if (ipvs_is_group(service))
		return "several ports or addresses";
	if (!ipvs_number(service, "port") && !ipvs_persistence(service))
		return "port 0 without persistence";
	if (*key && strcmp(key, "HASH_KEY_SOURCE_IP") != 0 && !*ipvs_scheduler_flags(service))
		return "hash_key";
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (json_object_get(service, fields[i][0]))
			return fields[i][1];
	for (size_t i = 0; i < sizeof(pool_fields) / sizeof(pool_fields[0]); i++)
		if (json_object_get(pool, pool_fields[i][0]))
			return pool_fields[i][1];
	return NULL;
}

/* What is not whole is not printed: -R would make something else of it. */
static int check_words(json_t *config, json_t *service)
{
	const char *what = unsayable(service, ipvs_pool_of(config, service));

	if (!what)
		return IPVS_OK;
	return ipvs_refuse("Operation not supported: '%s' has %s, for which ipvsadm has no words; "
			   "use `sluicectl config show`",
			   ipvs_text(service, "name"), what);
}

int ipvs_save(const struct client *client, bool numeric)
{
	json_t *config = ipvs_config_load(client), *sorted, *service;
	int result = IPVS_OK;
	size_t i;

	if (!config)
		return IPVS_NO_DAEMON;
	sorted = ipvs_sorted_services(config, true);
	json_array_foreach (sorted, i, service)
		if (result == IPVS_OK)
			result = check_words(config, service);
	json_array_foreach (sorted, i, service)
		if (result == IPVS_OK)
			save_service(config, service, numeric);
	json_decref(sorted);
	json_decref(config);
	return result;
}
