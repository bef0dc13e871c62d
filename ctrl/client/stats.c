/* SPDX-License-Identifier: BSD-3-Clause */
/* `sluicectl stats`: several small tables from one GetStats. */
#include <stdio.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"

#define WORKERS_MAX (COLUMNS_MAX - 3)

#define FLOW_COLUMNS                                                  \
	{"CONNECTIONS", "connections", COLUMN_NUMBER, NULL},          \
		{"ACTIVE", "activeConnections", COLUMN_NUMBER, NULL}, \
		{"IN-PACKETS", "inPackets", COLUMN_NUMBER, NULL},     \
		{"IN-BYTES", "inBytes", COLUMN_NUMBER, NULL},         \
		{"OUT-PACKETS", "outPackets", COLUMN_NUMBER, NULL},   \
		{"OUT-BYTES", "outBytes", COLUMN_NUMBER, NULL},       \
	{                                                             \
		0                                                     \
	}

static const struct column server_columns[] = {{"VIRTUAL-SERVER", "name", COLUMN_TEXT, NULL},
					       FLOW_COLUMNS};
static const struct column snat_columns[] = {{"SNAT-POLICY", "name", COLUMN_TEXT, NULL},
					     FLOW_COLUMNS};
static const struct column backend_columns[] = {{"BACKEND", "name", COLUMN_TEXT, NULL},
						FLOW_COLUMNS};
static const struct column port_columns[] = {
	{"PORT", "name", COLUMN_TEXT, NULL},
	{"RX-PACKETS", "rxPackets", COLUMN_NUMBER, NULL},
	{"RX-BYTES", "rxBytes", COLUMN_NUMBER, NULL},
	{"TX-PACKETS", "txPackets", COLUMN_NUMBER, NULL},
	{"TX-BYTES", "txBytes", COLUMN_NUMBER, NULL},
	{0},
};
static const struct column gauge_columns[] = {
	{"WORKER", "worker", COLUMN_NUMBER, NULL},
	{"CONNECTIONS", "connections", COLUMN_NUMBER, NULL},
	{"MAX", "connectionsMax", COLUMN_NUMBER, NULL},
	{"BUFFERS-FREE", "buffersFree", COLUMN_NUMBER, NULL},
	{"MAX", "buffersMax", COLUMN_NUMBER, NULL},
	{"REDIRECT-QUEUED", "redirectQueued", COLUMN_NUMBER, NULL},
	{0},
};
static const struct column drop_columns[] = {
	{"DROPPED", "name", COLUMN_TEXT, NULL},
	{"PACKETS", "value", COLUMN_NUMBER, NULL},
	{"WHY", "text", COLUMN_TEXT, NULL},
	{0},
};

/* Row `i` of the counters: the counter's name and text, and each worker's value. */
static json_t *counter_row(json_t *workers, size_t i)
{
	json_t *first = json_array_get(json_object_get(json_array_get(workers, 0), "counters"), i);
	json_t *row = json_copy(first);
	json_t *worker;
	size_t w;

	json_array_foreach (workers, w, worker) {
		json_t *counter = json_array_get(json_object_get(worker, "counters"), i);
		json_t *value = json_object_get(counter, "value");
		char key[24];

		snprintf(key, sizeof(key), "%zu", w);
		if (value)
			json_object_set(row, key, value);
	}
	return row;
}

/* A row for each counter, a column for each worker. */
static void print_counters(const struct client *client, json_t *workers)
{
	struct column columns[COLUMNS_MAX] = {{"COUNTER", "name", COLUMN_TEXT, NULL}};
	char header[WORKERS_MAX][32], field[WORKERS_MAX][24];
	size_t n_workers = json_array_size(workers);
	json_t *first = json_object_get(json_array_get(workers, 0), "counters");
	json_t *rows = json_array();

	if (n_workers > WORKERS_MAX)
		n_workers = WORKERS_MAX;
	for (size_t w = 0; w < n_workers; w++) {
		snprintf(header[w], sizeof(header[w]), "WORKER-%zu", w);
		snprintf(field[w], sizeof(field[w]), "%zu", w);
		columns[1 + w] = (struct column){header[w], field[w], COLUMN_NUMBER, NULL};
	}
	columns[1 + n_workers] = (struct column){"WHAT", "text", COLUMN_TEXT, NULL};
	for (size_t i = 0; i < json_array_size(first); i++)
		json_array_append_new(rows, counter_row(workers, i));
	table_print(client, columns, NULL, rows);
	json_decref(rows);
}

static void print_all(const struct client *client, json_t *stats)
{
	json_t *workers = json_object_get(stats, "workers");

	table_print(client, server_columns, "FlowStats", json_object_get(stats, "virtualServers"));
	printf("\n");
	table_print(client, snat_columns, "FlowStats", json_object_get(stats, "snatPolicies"));
	printf("\n");
	table_print(client, backend_columns, "FlowStats", json_object_get(stats, "backends"));
	printf("\n");
	table_print(client, port_columns, "PortStats", json_object_get(stats, "ports"));
	printf("\n");
	table_print(client, gauge_columns, "WorkerStats", workers);
	printf("\n");
	print_counters(client, workers);
	printf("\n");
	table_print(client, drop_columns, NULL, json_object_get(stats, "drops"));
}

int stats_show(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *stats, *drops;
	int result;

	(void)noun;
	(void)argc;
	(void)argv;
	result = rpc_call_or_complain(client, "StatsService", "GetStats", json_object(), &stats);
	if (result != CLIENT_OK)
		return result;
	drops = json_object_get(stats, "drops");
	if (client->output != CLIENT_TABLE && client->drops)
		result = client_print(client,
				      drops ? json_pack("{sO}", "drops", drops) : json_object());
	else if (client->output != CLIENT_TABLE)
		result = client_print(client, json_incref(stats));
	else if (client->drops)
		table_print(client, drop_columns, NULL, drops);
	else
		print_all(client, stats);
	json_decref(stats);
	return result;
}
