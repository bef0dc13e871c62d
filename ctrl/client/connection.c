/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections: listed, ended, and what a packet would meet. */
#include <stdio.h>
#include <string.h>

#include "ctrl/client/assign.h"
#include "ctrl/client/command.h"
#include "ctrl/client/pages.h"
#include "ctrl/client/rpc.h"

static const struct column columns[] = {
	{"WORKER", "worker", COLUMN_NUMBER, NULL},
	{"PROTOCOL", "protocol", COLUMN_TEXT, NULL},
	{"CLIENT", "clientAddress:clientPort", COLUMN_PAIR, NULL},
	{"VIRTUAL", "virtualAddress:virtualPort", COLUMN_PAIR, NULL},
	{"LOCAL", "localAddress:localPort", COLUMN_PAIR, NULL},
	{"BACKEND", "backendAddress:backendPort", COLUMN_PAIR, NULL},
	{"MODE", "mode", COLUMN_TEXT, NULL},
	{"STATE", "state", COLUMN_TEXT, NULL},
	{"IDLE", "idleSeconds", COLUMN_NUMBER, NULL},
	{"AGE", "ageSeconds", COLUMN_NUMBER, NULL},
	{"VIRTUAL-SERVER", "virtualServer", COLUMN_TEXT, NULL},
	{"BACKEND-NAME", "backend", COLUMN_TEXT, NULL},
	{"SNAT-POLICY", "snatPolicy", COLUMN_TEXT, NULL},
	{0},
};

static const struct pages pages = {
	.service = "ConnectionService",
	.method = "ListConnections",
	.request = "ListConnectionsRequest",
	.list = "connections",
	.message = "Connection",
	.columns = columns,
};

int connection_list(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = pages_filters(&pages, argc, argv);

	(void)noun;
	return request ? pages_print(client, &pages, request) : CLIENT_USAGE;
}

/* Some workers did not get to the end: as with any change that may yet happen. */
static int report_deletion(const struct client *client, json_t *reply)
{
	json_t *unfinished = json_object_get(reply, "unfinishedWorkers"), *worker;
	int result = json_array_size(unfinished) ? CLIENT_DEADLINE : CLIENT_OK;
	const char *ended = json_string_value(json_object_get(reply, "connections"));
	size_t i;

	json_array_foreach (unfinished, i, worker)
		fprintf(stderr,
			"sluicectl: worker %lld did not finish in time: some of its connections "
			"may "
			"still be open\n",
			(long long)json_integer_value(worker));
	if (client->output == CLIENT_TABLE) {
		printf("%s connections ended\n", ended ? ended : "0");
		json_decref(reply);
	} else {
		client_print(client, reply);
	}
	return result;
}

int connection_delete(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = json_object(), *reply;
	int result = CLIENT_OK;

	(void)noun;
	if (client->all == (argc > 0))
		result = client_usage_error("which connections? FILTER=VALUE..., or --all");
	for (int i = 0; i < argc && result == CLIENT_OK; i++)
		result = assign("DeleteConnectionsRequest", "the filters", request, argv[i]);
	if (result != CLIENT_OK) {
		json_decref(request);
		return result;
	}
	if (client->all)
		json_object_set_new(request, "all", json_true());
	result = rpc_call_or_complain(client, "ConnectionService", "DeleteConnections", request,
				      &reply);
	return result == CLIENT_OK ? report_deletion(client, reply) : result;
}

/* "ADDRESS:PORT" or "[ADDRESS]:PORT" into two fields of the request; the daemon judges them. */
static bool set_endpoint(json_t *request, const char *what, const char *text)
{
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[' && colon && colon[-1] == ']';
	unsigned long port;
	char field[32];

	if (!colon || !observe_number(colon + 1, &port))
		return false;
	snprintf(field, sizeof(field), "%sAddress", what);
	json_object_set_new(
		request, field,
		json_stringn(text + bracketed, (size_t)(colon - text) - 2 * (size_t)bracketed));
	snprintf(field, sizeof(field), "%sPort", what);
	json_object_set_new(request, field, json_integer((json_int_t)port));
	return true;
}

int connection_lookup(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = json_object(), *reply;
	char protocol[64];
	int result;

	(void)noun;
	(void)argc;
	snprintf(protocol, sizeof(protocol), "protocol=%s", argv[0]);
	result = assign("LookupFlowRequest", "the arguments", request, protocol);
	if (result == CLIENT_OK && (!set_endpoint(request, "client", argv[1]) ||
				    !set_endpoint(request, "virtual", argv[2])))
		result = client_usage_error("ADDRESS:PORT or [ADDRESS]:PORT, twice");
	if (result != CLIENT_OK) {
		json_decref(request);
		return result;
	}
	result = rpc_call_or_complain(client, "ConnectionService", "LookupFlow", request, &reply);
	return result == CLIENT_OK ? client_print(client, reply) : result;
}
