/* SPDX-License-Identifier: BSD-3-Clause */
/* What the appliance is doing: connections, workers; and restarting one of those. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"

#define PAGE_SIZE 1000

static const struct column connection_columns[] = {
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
	{0},
};

static const struct column worker_columns[] = {
	{"ID", "id", COLUMN_NUMBER, NULL},
	{"STATE", "state", COLUMN_STATE, NULL},
	{"PID", "pid", COLUMN_NUMBER, "-"},
	{"STANDBY", "standbyPid", COLUMN_NUMBER, "-"},
	{"CPU", "cpu", COLUMN_NUMBER, NULL},
	{"NODE", "numaNode", COLUMN_NUMBER, NULL},
	{"STARTS", "starts", COLUMN_NUMBER, NULL},
	{"DEATHS", "deaths", COLUMN_NUMBER, NULL},
	{"TAKEOVERS", "takeovers", COLUMN_NUMBER, NULL},
	{"REPAIRS", "repairs", COLUMN_NUMBER, NULL},
	{"GENERATION", "generation", COLUMN_NUMBER, NULL},
	{"CONNECTIONS", "connections", COLUMN_NUMBER, NULL},
	{"UPTIME", "uptimeSeconds", COLUMN_NUMBER, NULL},
	{"BEAT-MS", "heartbeatAgeMs", COLUMN_NUMBER, NULL},
	{"LAST-END", "lastEnd", COLUMN_TEXT, NULL},
	{0},
};

const char *const observe_filters[] = {
	"virtual-server=", "backend=", "client=", "protocol=", "state=", NULL};

/* "client=192.0.2.2" into the field of ListConnectionsRequest. */
static int add_filter(json_t *request, const char *filter)
{
	static const char *const fields[] = {"virtualServer", "backend", "clientAddress",
					     "protocol", "state"};

	for (size_t i = 0; observe_filters[i]; i++) {
		size_t len = strlen(observe_filters[i]);

		if (strncmp(observe_filters[i], filter, len) != 0 || !filter[len])
			continue;
		if (json_object_set_new(request, fields[i], json_string(filter + len)))
			break;
		return CLIENT_OK;
	}
	return client_usage_error("'%s' is not a filter: virtual-server=, backend=POOL/NAME, "
				  "client=ADDRESS, protocol=, state=",
				  filter);
}

static int read_limit(const struct client *client, size_t *limit)
{
	unsigned long number;

	*limit = 1000;
	if (!client->limit)
		return CLIENT_OK;
	if (!observe_number(client->limit, &number) || number == 0)
		return client_usage_error("--limit %s: a number from 1", client->limit);
	*limit = number;
	return CLIENT_OK;
}

/* Pages until there are `limit` connections, or no more. `*more`: some were left out. */
static int collect(const struct client *client, json_t *filters, size_t limit, json_t *all,
		   bool *more)
{
	char token[256] = "";

	do {
		json_t *request = json_copy(filters);
		json_t *page;
		const char *next;
		int result;

		json_object_set_new(request, "pageSize", json_integer(PAGE_SIZE));
		json_object_set_new(request, "pageToken", json_string(token));
		result = rpc_call_or_complain(client, "ConnectionService", "ListConnections",
					      request, &page);
		if (result != CLIENT_OK)
			return result;
		json_array_extend(all, json_object_get(page, "connections"));
		next = json_string_value(json_object_get(page, "nextPageToken"));
		snprintf(token, sizeof(token), "%s", next ? next : "");
		json_decref(page);
	} while (token[0] && json_array_size(all) <= limit);
	*more = token[0] || json_array_size(all) > limit;
	while (json_array_size(all) > limit)
		json_array_remove(all, json_array_size(all) - 1);
	return CLIENT_OK;
}

int observe_connections(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *filters = json_object(), *all = json_array();
	bool more = false;
	size_t limit;
	int result = read_limit(client, &limit);

	(void)noun;
	for (int i = 0; result == CLIENT_OK && i < argc; i++)
		result = add_filter(filters, argv[i]);
	if (result == CLIENT_OK)
		result = collect(client, filters, limit, all, &more);
	if (result == CLIENT_OK && client->output == CLIENT_TABLE)
		table_print(client, connection_columns, "Connection", all);
	else if (result == CLIENT_OK)
		result = client_print(client, json_pack("{sO}", "connections", all));
	if (more)
		fprintf(stderr, "sluicectl: there are more than %zu: filter, or --limit\n", limit);
	json_decref(filters);
	json_decref(all);
	return result;
}

int observe_workers(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *reply;
	int result;

	(void)noun;
	(void)argc;
	(void)argv;
	result =
		rpc_call_or_complain(client, "WorkerService", "ListWorkers", json_object(), &reply);
	if (result != CLIENT_OK || client->output != CLIENT_TABLE)
		return result == CLIENT_OK ? client_print(client, reply) : result;
	table_print(client, worker_columns, "Worker", json_object_get(reply, "workers"));
	if (json_is_true(json_object_get(reply, "primaryGone")))
		fprintf(stderr,
			"sluicectl: the primary has ended; the workers go on as they are\n");
	json_decref(reply);
	return CLIENT_OK;
}

bool observe_number(const char *text, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return !errno && end != text && !*end && text[0] != '-';
}

static int restart_one(const struct client *client, json_int_t id)
{
	json_t *reply;
	int result = rpc_call_or_complain(client, "WorkerService", "RestartWorker",
					  json_pack("{sI}", "id", id), &reply);

	if (result != CLIENT_OK || client->output != CLIENT_TABLE)
		return result == CLIENT_OK ? client_print(client, reply) : result;
	printf("worker %lld runs again, pid %lld\n", (long long)id,
	       (long long)json_integer_value(
		       json_object_get(json_object_get(reply, "worker"), "pid")));
	json_decref(reply);
	return CLIENT_OK;
}

/* Every worker, one after the other; the first that fails ends it. */
static int restart_all(const struct client *client)
{
	json_t *list, *worker;
	size_t i;
	int result =
		rpc_call_or_complain(client, "WorkerService", "ListWorkers", json_object(), &list);

	if (result != CLIENT_OK)
		return result;
	json_array_foreach (json_object_get(list, "workers"), i, worker) {
		json_int_t id = json_integer_value(json_object_get(worker, "id"));

		if (result == CLIENT_OK)
			result = restart_one(client, id);
	}
	json_decref(list);
	return result;
}

int observe_restart(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	unsigned long id;

	(void)noun;
	if (client->all && argc)
		return client_usage_error("--all, or the number of a worker");
	if (client->all)
		return restart_all(client);
	if (!argc)
		return client_usage_error("the number of a worker, or --all");
	if (!observe_number(argv[0], &id))
		return client_usage_error("'%s' is not the number of a worker", argv[0]);
	return restart_one(client, (json_int_t)id);
}
