/* SPDX-License-Identifier: BSD-3-Clause */
/* The workers, and restarting one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/table.h"

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
	{"DRAIN", "drain", COLUMN_TEXT, "-"},
	{"STUBS", "stubs", COLUMN_NUMBER, NULL},
	{"UPTIME", "uptimeSeconds", COLUMN_NUMBER, NULL},
	{"BEAT-MS", "heartbeatAgeMs", COLUMN_NUMBER, NULL},
	{"LAST-END", "lastEnd", COLUMN_TEXT, NULL},
	{0},
};

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
