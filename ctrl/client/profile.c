/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a worker's time goes: the API's cycles by stage, with what a packet cost. */
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"

static const struct column columns[] = {
	{"STAGE", "name", COLUMN_TEXT, NULL},
	{"PACKETS", "packets", COLUMN_NUMBER, NULL},
	{"CYCLES", "cycles", COLUMN_NUMBER, NULL},
	{"SHARE", "share", COLUMN_NUMBER, NULL},
	{"CYCLES/PACKET", "cyclesPerPacket", COLUMN_NUMBER, "-"},
	{"NS/PACKET", "nsPerPacket", COLUMN_NUMBER, "-"},
	{"WHAT IT DOES", "text", COLUMN_TEXT, NULL},
	{0},
};

/* 64-bit numbers are strings in JSON; what is zero is left out. */
static double number(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? strtod(text, NULL) : 0;
}

static void add_quotients(const json_t *reply, json_t *stage)
{
	double cycles = number(stage, "cycles"), packets = number(stage, "packets");
	double all = number(reply, "cycles"), hz = number(reply, "cyclesPerSecond");

	if (all > 0)
		json_object_set_new(stage, "share", json_sprintf("%.1f%%", 100 * cycles / all));
	if (packets > 0)
		json_object_set_new(stage, "cyclesPerPacket",
				    json_sprintf("%.1f", cycles / packets));
	if (packets > 0 && hz > 0)
		json_object_set_new(stage, "nsPerPacket",
				    json_sprintf("%.1f", cycles / packets * 1e9 / hz));
}

static json_t *request(int argc, char **argv)
{
	unsigned long id, ms = 0;

	if (!observe_number(argv[0], &id)) {
		client_usage_error("'%s' is not the number of a worker", argv[0]);
		return NULL;
	}
	if (argc > 1 && (!observe_number(argv[1], &ms) || !ms)) {
		client_usage_error("'%s' is not a number of milliseconds", argv[1]);
		return NULL;
	}
	return json_pack("{sIsI}", "id", (json_int_t)id, "milliseconds", (json_int_t)ms);
}

int profile_worker(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *ask = request(argc, argv), *reply, *stage;
	size_t i;
	int result;

	(void)noun;
	if (!ask)
		return CLIENT_USAGE;
	result = rpc_call_or_complain(client, "WorkerService", "ProfileWorker", ask, &reply);
	if (result != CLIENT_OK || client->output != CLIENT_TABLE)
		return result == CLIENT_OK ? client_print(client, reply) : result;
	json_array_foreach (json_object_get(reply, "stages"), i, stage)
		add_quotients(reply, stage);
	table_print(client, columns, NULL, json_object_get(reply, "stages"));
	json_decref(reply);
	return CLIENT_OK;
}
