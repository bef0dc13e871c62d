/* SPDX-License-Identifier: BSD-3-Clause */
/* The revisions of the configuration: listing them, going back, confirming; who did what. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctrl/client/command.h"
#include "ctrl/client/diff.h"
#include "ctrl/client/pages.h"
#include "ctrl/client/rpc.h"

static const struct column revision_columns[] = {
	{"REVISION", "revision", COLUMN_NUMBER, NULL},
	{"TIME", "createTime", COLUMN_TEXT, NULL},
	{"AUTHOR", "author", COLUMN_TEXT, NULL},
	{"CREATED", "created", COLUMN_NUMBER, NULL},
	{"UPDATED", "updated", COLUMN_NUMBER, NULL},
	{"DELETED", "deleted", COLUMN_NUMBER, NULL},
	{"CONFIRM-BY", "confirmDeadline", COLUMN_TEXT, NULL},
	{"COMMENT", "comment", COLUMN_TEXT, NULL},
	{0},
};

static const struct column audit_columns[] = {
	{"TIME", "time", COLUMN_TEXT, NULL},          {"CALLER", "caller", COLUMN_TEXT, NULL},
	{"METHOD", "method", COLUMN_TEXT, NULL},      {"RESOURCE", "resource", COLUMN_TEXT, NULL},
	{"REVISION", "revision", COLUMN_NUMBER, "-"}, {"CODE", "code", COLUMN_TEXT, NULL},
	{"MESSAGE", "message", COLUMN_TEXT, NULL},    {0},
};

static const struct pages revisions = {
	.service = "ConfigService",
	.method = "ListConfigRevisions",
	.request = "ListConfigRevisionsRequest",
	.list = "revisions",
	.message = "ConfigRevision",
	.columns = revision_columns,
};

static const struct pages audit = {
	.service = "AuditService",
	.method = "ListAuditEntries",
	.request = "ListAuditEntriesRequest",
	.list = "entries",
	.message = "AuditEntry",
	.columns = audit_columns,
};

int history_list(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	(void)noun;
	(void)argc;
	(void)argv;
	return pages_print(client, &revisions, json_object());
}

/* ---- the audit log ---- */

/* "2h" ago as a time of the API, instead of the value; other values are times already. */
static void absolute_time(json_t *request, const char *field)
{
	static const char units[] = "smhd";
	static const int seconds[] = {1, 60, 3600, 86400};
	const char *text = json_string_value(json_object_get(request, field));
	char *end, buffer[64];
	const char *unit;
	struct tm tm;
	time_t then;
	long n = text ? strtol(text, &end, 10) : 0;

	unit = text && n >= 0 && end != text && *end && !end[1] ? strchr(units, *end) : NULL;
	if (!unit)
		return;
	then = time(NULL) - n * seconds[unit - units];
	gmtime_r(&then, &tm);
	strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_set_new(request, field, json_string(buffer));
}

int history_audit(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = pages_filters(&audit, argc, argv);

	(void)noun;
	if (!request)
		return CLIENT_USAGE;
	absolute_time(request, "since");
	absolute_time(request, "until");
	return pages_print(client, &audit, request);
}

/* ---- going back ---- */

int history_confirm_timeout(const struct client *client, json_t *request)
{
	char *end;
	double seconds;

	if (!client->confirm_timeout)
		return CLIENT_OK;
	seconds = strtod(client->confirm_timeout, &end);
	if (end == client->confirm_timeout || *end || !(seconds >= 1 && seconds <= 86400))
		return client_usage_error("--confirm-timeout %s: 1 to 86400 seconds",
					  client->confirm_timeout);
	json_object_set_new(request, "confirmTimeout", json_sprintf("%gs", seconds));
	return CLIENT_OK;
}

void history_say_deadline(json_t *reply)
{
	const char *deadline = json_string_value(json_object_get(reply, "confirmDeadline"));
	const char *revision = json_string_value(json_object_get(reply, "revision"));

	if (deadline)
		printf("rolled back at %s, unless before: sluicectl confirm %s\n", deadline,
		       revision ? revision : "0");
}

static int read_revision(const char *text, json_t *request)
{
	unsigned long revision;

	if (!observe_number(text, &revision))
		return client_usage_error("'%s' is not the number of a revision: `sluicectl "
					  "history` has them",
					  text);
	json_object_set_new(request, "revision", json_integer((json_int_t)revision));
	return CLIENT_OK;
}

static void say_rolled_back(const struct client *client, json_t *reply)
{
	const char *revision = json_string_value(json_object_get(reply, "revision"));
	char counts[128];

	diff_counts(reply, counts, sizeof(counts));
	diff_print(json_object_get(reply, "changes"));
	if (client->dry_run)
		printf("would be: %s\n", counts);
	else
		printf("revision %s: %s\n", revision ? revision : "0", counts);
	history_say_deadline(reply);
}

int history_rollback(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = json_object(), *reply;
	int result = read_revision(argv[0], request);

	(void)noun;
	(void)argc;
	if (result == CLIENT_OK)
		result = history_confirm_timeout(client, request);
	if (result != CLIENT_OK) {
		json_decref(request);
		return result;
	}
	json_object_set_new(request, "validateOnly", json_boolean(client->dry_run));
	if (client->etag)
		json_object_set_new(request, "etag", json_string(client->etag));
	if (client->comment)
		json_object_set_new(request, "comment", json_string(client->comment));
	result = rpc_call_or_complain(client, "ConfigService", "RollbackConfig", request, &reply);
	if (result != CLIENT_OK || client->output != CLIENT_TABLE)
		return result == CLIENT_OK ? client_print(client, reply) : result;
	say_rolled_back(client, reply);
	json_decref(reply);
	return CLIENT_OK;
}

int history_confirm(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = json_object(), *reply;
	int result = read_revision(argv[0], request);

	(void)noun;
	(void)argc;
	if (result != CLIENT_OK) {
		json_decref(request);
		return result;
	}
	result = rpc_call_or_complain(client, "ConfigService", "ConfirmConfig", request, &reply);
	if (result != CLIENT_OK || client->output != CLIENT_TABLE)
		return result == CLIENT_OK ? client_print(client, reply) : result;
	printf("revision %s stays\n", argv[0]);
	json_decref(reply);
	return CLIENT_OK;
}
