/* SPDX-License-Identifier: BSD-3-Clause */
/* The listings of services and servers: columns and numbers as ipvsadm prints them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/schema.h"

/* What ipvsadm counts, in its columns' order. */
static const char *const counters[] = {"connections", "inPackets", "outPackets", "inBytes",
				       "outBytes"};

#define N_COUNTERS (sizeof(counters) / sizeof(counters[0]))

/* A listing under way. */
struct listing {
	const struct ipvs_request *request;
	json_t *config;
	json_t *stats;   /* of GetStats */
	json_t *earlier; /* and some time before, for rates; else NULL */
	double seconds;  /* between them */
	bool numeric;
};

/* ---- numbers ---- */

/* 64-bit numbers are strings in JSON. */
static uint64_t count(json_t *flow, const char *field)
{
	json_t *value = json_object_get(flow, field);

	return json_is_integer(value) ? (uint64_t)json_integer_value(value)
				      : strtoull(ipvs_text(flow, field), NULL, 10);
}

static json_t *flow_of(json_t *stats, const char *list, const char *name)
{
	return ipvs_named(json_object_get(stats, list), name);
}

/* Eight digits are printed; more by thousands, of which five digits are left at most. */
static void print_number(uint64_t number, bool exact)
{
	static const struct {
		uint64_t below, unit;
		char letter;
	} scales[] = {
		{1000000000, 1000, 'K'},
		{100000000000, 1000000, 'M'},
		{100000000000000, 1000000000, 'G'},
		{UINT64_MAX, 1000000000000, 'T'},
	};
	int i = 0;

	if (exact || number < 100000000) {
		printf(" %8" PRIu64, number);
		return;
	}
	while (number >= scales[i].below && scales[i].below != UINT64_MAX)
		i++;
	printf(" %7" PRIu64 "%c", number / scales[i].unit, scales[i].letter);
}

/* The five columns of --stats or --rate. */
static void print_counters(const struct listing *l, const char *list, const char *name)
{
	json_t *now = flow_of(l->stats, list, name);
	json_t *before = l->earlier ? flow_of(l->earlier, list, name) : NULL;

	for (size_t i = 0; i < N_COUNTERS; i++) {
		uint64_t n = count(now, counters[i]), m = count(before, counters[i]);

		if (l->earlier) /* a counter that began anew has no rate */
			n = n > m ? (uint64_t)((double)(n - m) / l->seconds + 0.5) : 0;
		print_number(n, l->request->given & IPVS_EXACT);
	}
	printf("\n");
}

/* ---- rows ---- */

static const char *short_protocol(json_t *service)
{
	return strcmp(ipvs_text(service, "protocol"), "PROTOCOL_UDP") == 0 ? "udp" : "tcp";
}

static void print_head(unsigned int given)
{
	if (given & IPVS_STATS)
		printf("Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes "
		       "OutBytes\n  -> RemoteAddress:Port\n");
	else if (given & IPVS_RATE)
		printf("Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   "
		       "OutBPS\n  -> RemoteAddress:Port\n");
	else if (given & IPVS_THRESHOLDS)
		printf("Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn "
		       "InActConn \n  -> RemoteAddress:Port\n");
	else if (given & IPVS_PERSISTENT_CONN)
		printf("Prot LocalAddress:Port            Weight    PersistConn ActiveConn "
		       "InActConn \n  -> RemoteAddress:Port\n");
	else if (given & IPVS_TUN_INFO)
		printf("Prot LocalAddress:Port Scheduler Flags\n"
		       "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn "
		       "InActConn\n");
	else
		printf("Prot LocalAddress:Port Scheduler Flags\n"
		       "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n");
}

/* "gue:6080:+c": a checksum, or none. */
static void tunnel_info(char *buffer, size_t size, json_t *pool, json_t *backend)
{
	const char *type = ipvs_method_of(pool, backend)->tunnel;

	if (!type)
		type = "n/a";
	if (strcmp(type, "gue") == 0)
		snprintf(buffer, size, "%s:%u:%cc", type, ipvs_gue_port(backend),
			 ipvs_gue_checksum(ipvs_text(backend, "address")) ? '+' : '-');
	else
		snprintf(buffer, size, strcmp(type, "gre") == 0 ? "%s:-c" : "%s", type);
}

static void print_server(const struct listing *l, json_t *service, json_t *pool, json_t *backend)
{
	unsigned int given = l->request->given, weight = 1;
	char where[300], name[256], tunnel[32] = "";
	json_t *flow;
	uint64_t active, inactive;

	ipvs_print_endpoint(where, sizeof(where), ipvs_text(backend, "address"),
			    ipvs_number(backend, "port"), short_protocol(service), l->numeric);
	snprintf(name, sizeof(name), "%s/%s", ipvs_text(pool, "name"), ipvs_text(backend, "name"));
	flow = flow_of(l->stats, "backends", name);
	active = count(flow, "establishedConnections");
	inactive = count(flow, "activeConnections") - active;
	if (json_object_get(backend, "weight"))
		weight = ipvs_number(backend, "weight");
	printf("  -> %-28s", where);
	if (given & (IPVS_STATS | IPVS_RATE))
		print_counters(l, "backends", name);
	else if (given & IPVS_THRESHOLDS)
		printf(" %-10u %-10u %-10" PRIu64 " %-10" PRIu64 "\n",
		       ipvs_upper_threshold(backend), ipvs_lower_threshold(backend), active,
		       inactive);
	else if (given & IPVS_PERSISTENT_CONN)
		printf(" %-9u %-11u %-10" PRIu64 " %-10" PRIu64 "\n", weight, 0, active, inactive);
	else {
		if (given & IPVS_TUN_INFO)
			tunnel_info(tunnel, sizeof(tunnel), pool, backend);
		printf(given & IPVS_TUN_INFO ? " %-7s %-13s" : " %-7s",
		       ipvs_method_of(pool, backend)->shown, tunnel);
		printf(" %-6u %-10" PRIu64 " %-10" PRIu64 "\n", weight, active, inactive);
	}
}

/* " (sh-port) persistent 600 mask 255.255.255.0" */
static void print_flags(json_t *service)
{
	char netmask[INET6_ADDRSTRLEN];

	if (*ipvs_scheduler_flags(service))
		printf(" (%s)", ipvs_scheduler_flags(service));
	if (ipvs_persistence(service))
		printf(" persistent %u", ipvs_persistence(service));
	if (ipvs_persistence(service) && ipvs_netmask(service, netmask, sizeof(netmask)))
		printf(" mask %s", netmask);
	printf("\n");
}

static void print_service(const struct listing *l, json_t *service)
{
	json_t *pool = ipvs_pool_of(l->config, service), *sorted, *backend;
	bool udp = strcmp(short_protocol(service), "udp") == 0;
	char where[300], line[320], scheduler[64];
	size_t i;

	ipvs_print_endpoint(where, sizeof(where), ipvs_text(service, "address"),
			    ipvs_number(service, "port"), short_protocol(service), l->numeric);
	snprintf(line, sizeof(line), "%-4s %s%s", udp ? "UDP" : "TCP", where,
		 ipvs_is_group(service) ? "+" : "");
	if (l->request->given & (IPVS_STATS | IPVS_RATE)) {
		printf("%-33s", line);
		print_counters(l, "virtualServers", ipvs_text(service, "name"));
	} else {
		printf("%s %s", line,
		       ipvs_scheduler_name(ipvs_text(service, "scheduler"), scheduler,
					   sizeof(scheduler)));
		print_flags(service);
	}
	sorted = ipvs_sorted_servers(pool, !(l->request->given & IPVS_NOSORT));
	json_array_foreach (sorted, i, backend)
		print_server(l, service, pool, backend);
	json_decref(sorted);
}

/* The size of ipvsadm's table is the room for connections, of all workers. */
static void print_all(const struct listing *l)
{
	json_t *sorted = ipvs_sorted_services(l->config, !(l->request->given & IPVS_NOSORT));
	json_t *one;
	uint64_t room = 0;
	size_t i;

	json_array_foreach (json_object_get(l->stats, "workers"), i, one)
		room += count(one, "connectionsMax");
	printf("IP Virtual Server version 1.2.1 (size=%" PRIu64 ")\n", room);
	print_head(l->request->given);
	json_array_foreach (sorted, i, one)
		print_service(l, one);
	json_decref(sorted);
}

/* ---- asking ---- */

static json_t *get_stats(const struct client *client)
{
	struct rpc_failure why;
	json_t *stats;

	if (rpc_call(client, "StatsService", "GetStats", json_object(), &stats, &why) == CLIENT_OK)
		return stats;
	ipvs_refuse("%s", why.message);
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A second apart, for rates. */
static bool get_both(const struct client *client, struct listing *l)
{
	double began = now();

	if (l->request->given & IPVS_RATE) {
		l->earlier = get_stats(client);
		if (!l->earlier)
			return false;
		nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	}
	l->stats = get_stats(client);
	l->seconds = now() - began;
	return l->stats != NULL;
}

int ipvs_list(const struct client *client, const struct ipvs_request *request)
{
	struct listing l = {.request = request, .numeric = request->given & IPVS_NUMERIC};
	json_t *service = NULL;
	int result = IPVS_NO_DAEMON;

	l.config = ipvs_config_load(client);
	if (l.config && request->given & IPVS_SERVICE)
		service = ipvs_find_service(l.config, &request->service);
	if (l.config && request->given & IPVS_SERVICE && !service) {
		ipvs_refuse("No such service");
		result = IPVS_NOT_THERE;
	} else if (l.config && get_both(client, &l)) {
		result = IPVS_OK;
		if (service) {
			print_head(request->given);
			print_service(&l, service);
		} else {
			print_all(&l);
		}
	}
	json_decref(l.stats);
	json_decref(l.earlier);
	json_decref(l.config);
	return result;
}

/* ---- timeouts ---- */

unsigned int ipvs_timeout(json_t *config, const char *field)
{
	unsigned int set = ipvs_number(json_object_get(config, "timeouts"), field);
	const struct schema_field *f =
		schema_field(schema_message("Timeouts"), field, strlen(field));

	/* The default stands in the .proto, beside the field. */
	return set || !f ? set : (unsigned int)strtoul(f->text, NULL, 10);
}

int ipvs_list_timeouts(const struct client *client)
{
	json_t *config = ipvs_config_load(client);

	if (!config)
		return IPVS_NO_DAEMON;
	printf("Timeout (tcp tcpfin udp): %u %u %u\n", ipvs_timeout(config, "tcpEstablished"),
	       ipvs_timeout(config, "tcpFinWait"), ipvs_timeout(config, "udp"));
	json_decref(config);
	return IPVS_OK;
}
