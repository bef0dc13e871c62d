/* SPDX-License-Identifier: BSD-3-Clause */
/* -L -c: the connections, with the time that each has left. */
#include <ctype.h>
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"
#include "ctrl/client/rpc.h"

#define PAGE_SIZE 1000

/* "syn_recv" lasts as long as the field "tcpSynRecv" of the timeouts says; "udp" is "udp". */
static unsigned int seconds_of(json_t *config, const char *state)
{
	char field[64] = "tcp";
	size_t n = 3;
	bool upper = true;

	if (strcmp(state, "udp") == 0)
		return ipvs_timeout(config, state);
	for (; *state && n + 1 < sizeof(field); state++) {
		if (*state != '_')
			field[n++] = upper ? (char)toupper((unsigned char)*state) : *state;
		upper = *state == '_';
	}
	field[n] = '\0';
	return ipvs_timeout(config, field);
}

static void print_end(json_t *connection, const char *address, const char *port,
		      const char *protocol, bool numeric, const char *format)
{
	char where[300];

	ipvs_print_endpoint(where, sizeof(where), ipvs_text(connection, address),
			    ipvs_number(connection, port), protocol, numeric);
	printf(format, where);
}

static void print_connection(json_t *config, json_t *connection, bool numeric)
{
	bool udp = strcmp(ipvs_text(connection, "protocol"), "PROTOCOL_UDP") == 0;
	const char *protocol = udp ? "udp" : "tcp";
	unsigned int idle = ipvs_number(connection, "idleSeconds");
	unsigned int lasts = seconds_of(config, ipvs_text(connection, "state"));
	unsigned int left = lasts > idle ? lasts - idle : 0;
	char expires[32], state[32];
	size_t i = 0;

	for (const char *s = ipvs_text(connection, "state"); *s && i + 1 < sizeof(state); s++)
		state[i++] = (char)toupper((unsigned char)*s);
	state[i] = '\0';
	snprintf(expires, sizeof(expires), "%02u:%02u", left / 60, left % 60);
	printf("%-3s %-6s %-11s ", udp ? "UDP" : "TCP", expires, state);
	print_end(connection, "clientAddress", "clientPort", protocol, numeric, "%-18s ");
	print_end(connection, "virtualAddress", "virtualPort", protocol, numeric, "%-18s ");
	print_end(connection, "backendAddress", "backendPort", protocol, numeric, "%s\n");
}

/* Page by page, so that the table may be of any size. */
static int print_pages(const struct client *client, json_t *config, bool numeric)
{
	char token[256] = "";

	do {
		struct rpc_failure why;
		json_t *page, *connection;
		size_t i;

		if (rpc_call(client, "ConnectionService", "ListConnections",
			     json_pack("{si ss}", "pageSize", PAGE_SIZE, "pageToken", token), &page,
			     &why) != CLIENT_OK)
			return ipvs_refuse("%s", why.message);
		json_array_foreach (json_object_get(page, "connections"), i, connection)
			if (strcmp(ipvs_text(connection, "mode"), "snat") != 0) /* no service's */
				print_connection(config, connection, numeric);
		snprintf(token, sizeof(token), "%s", ipvs_text(page, "nextPageToken"));
		json_decref(page);
	} while (token[0]);
	return IPVS_OK;
}

int ipvs_list_connections(const struct client *client, const struct ipvs_request *request)
{
	json_t *config = ipvs_config_load(client);
	int result;

	if (!config)
		return IPVS_NO_DAEMON;
	printf("IPVS connection entries\n"
	       "pro expire state       source             virtual            destination%s\n",
	       request->given & IPVS_PERSISTENT_CONN ? "        pe name          pe_data" : "");
	result = print_pages(client, config, request->given & IPVS_NUMERIC);
	json_decref(config);
	return result;
}
