/* SPDX-License-Identifier: BSD-3-Clause */
/* `sluicectl watch`: what goes on, as it goes on. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/table.h"

#define RATE_COLUMNS                                                  \
	{"ACTIVE", "activeConnections", COLUMN_NUMBER, NULL},         \
		{"CONN/S", "connections", COLUMN_NUMBER, NULL},       \
		{"IN-PACKETS/S", "inPackets", COLUMN_NUMBER, NULL},   \
		{"IN-BYTES/S", "inBytes", COLUMN_NUMBER, NULL},       \
		{"OUT-PACKETS/S", "outPackets", COLUMN_NUMBER, NULL}, \
		{"OUT-BYTES/S", "outBytes", COLUMN_NUMBER, NULL},     \
	{                                                             \
		0                                                     \
	}

static const struct column server_columns[] = {{"VIRTUAL-SERVER", "name", COLUMN_TEXT, NULL},
					       RATE_COLUMNS};
static const struct column backend_columns[] = {{"BACKEND", "name", COLUMN_TEXT, NULL},
						RATE_COLUMNS};
static const struct column drop_columns[] = {{"DROPPED", "name", COLUMN_TEXT, NULL},
					     {"PACKETS/S", "value", COLUMN_NUMBER, NULL},
					     {"WHY", "text", COLUMN_TEXT, NULL},
					     {0}};

/* A stream under way. */
struct watch {
	const struct client *client;
	unsigned long left; /* messages to be printed; 0: no end */
	json_t *tick;       /* statistics of the one that is coming; NULL: none yet */
	json_t *before;     /* of the one before */
	double when;        /* that came, in seconds */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Whether to go on after one was printed. */
static bool printed(struct watch *watch)
{
	return fflush(stdout) == 0 && (!watch->left || --watch->left > 0);
}

/* A message as it is, on a line (JSON) or in a document (YAML); taken over. */
static bool print_message(struct watch *watch, json_t *message)
{
	if (watch->client->output == CLIENT_JSON) {
		json_dumpf(message, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(message);
	} else {
		printf("---\n");
		client_print(watch->client, message);
	}
	return printed(watch);
}

/* ---- statistics ---- */

/* A list's members by their names. */
static json_t *by_name(json_t *list)
{
	json_t *found = json_object(), *one;
	size_t i;

	json_array_foreach (list, i, one)
		json_object_set(found, json_string_value(json_object_get(one, "name")), one);
	return found;
}

/* 64-bit numbers are strings in JSON. */
static double number(json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? strtod(text, NULL) : 0;
}

/* Counters become what they grew by in a second. A list of its own. */
static json_t *rates(json_t *list, json_t *before, double seconds)
{
	static const char *const counters[] = {"connections", "inPackets", "inBytes",
					       "outPackets",  "outBytes",  "value"};
	json_t *all = json_array(), *known = by_name(before), *one;
	size_t i;

	json_array_foreach (list, i, one) {
		json_t *row = json_copy(one);
		json_t *old =
			json_object_get(known, json_string_value(json_object_get(one, "name")));

		for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++) {
			double grown = number(one, counters[c]) - number(old, counters[c]);

			/* What began anew meanwhile has no rate yet. */
			if (json_object_get(one, counters[c]))
				json_object_set_new(
					row, counters[c],
					json_sprintf("%.0f", grown > 0 ? grown / seconds : 0.0));
		}
		json_array_append_new(all, row);
	}
	json_decref(known);
	return all;
}

static void print_rates(struct watch *watch, const struct column *columns, json_t *stats,
			const char *list, double seconds)
{
	json_t *rows =
		rates(json_object_get(stats, list), json_object_get(watch->before, list), seconds);

	table_print(watch->client, columns, NULL, rows);
	json_decref(rows);
}

/* Of many virtual servers and backends a tick is several messages: their lists, one after another.
 */
static void gather(struct watch *watch, json_t *stats)
{
	const char *field;
	json_t *list;

	if (!watch->tick) {
		watch->tick = json_incref(stats);
		return;
	}
	json_object_foreach (stats, field, list) {
		json_t *all = json_object_get(watch->tick, field);

		if (all)
			json_array_extend(all, list);
		else
			json_object_set(watch->tick, field, list);
	}
}

static bool print_tick(struct watch *watch, double seconds)
{
	if (isatty(STDOUT_FILENO))
		printf("\033[H\033[2J");
	print_rates(watch, server_columns, watch->tick, "virtualServers", seconds);
	printf("\n");
	print_rates(watch, backend_columns, watch->tick, "backends", seconds);
	printf("\n");
	print_rates(watch, drop_columns, watch->tick, "drops", seconds);
	printf("\n");
	return printed(watch);
}

/* A terminal shows the last, anything else one after the other. */
static bool take_stats(void *context, json_t *message)
{
	struct watch *watch = context;
	double seconds = now() - watch->when;
	bool more = true;

	if (watch->client->output != CLIENT_TABLE)
		return print_message(watch, message);
	gather(watch, json_object_get(message, "stats"));
	if (!json_is_true(json_object_get(message, "more"))) {
		watch->when += seconds;
		if (watch->before)
			more = print_tick(watch, seconds);
		json_decref(watch->before);
		watch->before = watch->tick;
		watch->tick = NULL;
	}
	json_decref(message);
	return more;
}

static int read_interval(const struct client *client, json_t *request)
{
	char *end;
	double seconds;

	if (!client->interval)
		return CLIENT_OK;
	seconds = strtod(client->interval, &end);
	if (end == client->interval || *end || !(seconds >= 0.1 && seconds <= 60))
		return client_usage_error("--interval %s: 0.1 to 60 seconds", client->interval);
	json_object_set_new(request, "intervalMs",
			    json_integer((json_int_t)(seconds * 1000 + 0.5)));
	return CLIENT_OK;
}

static int read_limit(const struct client *client, unsigned long *limit)
{
	*limit = 0;
	if (!client->limit || (observe_number(client->limit, limit) && *limit))
		return CLIENT_OK;
	return client_usage_error("--limit %s: a number from 1", client->limit);
}

static int follow(struct watch *watch, const char *service, const char *method, json_t *request,
		  rpc_message_fn take)
{
	struct rpc_failure why;
	int result = rpc_stream(watch->client, service, method, request, take, watch, &why);

	json_decref(watch->tick);
	json_decref(watch->before);
	return result == CLIENT_OK ? CLIENT_OK : rpc_complain(result, "", &why);
}

int watch_stats(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	struct watch watch = {.client = client, .when = now()};
	json_t *request = json_object();
	int result = read_limit(client, &watch.left);

	(void)noun;
	(void)argc;
	(void)argv;
	if (result == CLIENT_OK)
		result = read_interval(client, request);
	if (result == CLIENT_OK)
		return follow(&watch, "StatsService", "WatchStats", request, take_stats);
	json_decref(request);
	return result;
}

/* ---- events ---- */

/* "TIME TYPE sentence"; bookmarks, at which nothing happened, are for programs. */
static bool take_event(void *context, json_t *message)
{
	struct watch *watch = context;
	json_t *event = json_object_get(message, "event");
	const char *type = json_string_value(json_object_get(event, "type"));
	const char *time = json_string_value(json_object_get(event, "time"));
	const char *text = json_string_value(json_object_get(event, "text"));
	char buffer[64];
	bool more = true;

	if (watch->client->output != CLIENT_TABLE)
		return print_message(watch, message);
	if (type && strcmp(type, "EVENT_TYPE_BOOKMARK") != 0) {
		type += strncmp(type, "EVENT_TYPE_", 11) == 0 ? 11 : 0;
		snprintf(buffer, sizeof(buffer), "%s", type);
		for (char *c = buffer; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		printf("%s  %-8s  %s\n", time ? time : "-", buffer, text ? text : "");
		more = printed(watch);
	}
	json_decref(message);
	return more;
}

int watch_events(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	struct watch watch = {.client = client};
	json_t *request = json_object();
	int result = read_limit(client, &watch.left);

	(void)noun;
	if (argc)
		json_object_set_new(request, "resumeToken", json_string(argv[0]));
	if (result == CLIENT_OK)
		return follow(&watch, "EventService", "WatchEvents", request, take_event);
	json_decref(request);
	return result;
}
