/* SPDX-License-Identifier: BSD-3-Clause */
/* `sluicectl api`: any method, with a message as it is. */
#include <stdio.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/file.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/schema.h"

int api_list(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	static const struct column columns[] = {
		{"METHOD", "method", COLUMN_TEXT, NULL},
		{"REQUEST", "request", COLUMN_TEXT, NULL},
		{"ANSWERS", "answers", COLUMN_TEXT, NULL},
		{0},
	};
	json_t *rows = json_array();
	int result = CLIENT_OK;

	(void)noun;
	(void)argc;
	(void)argv;
	for (const struct schema_method *m = schema_methods; m->service; m++)
		json_array_append_new(rows, json_pack("{so ss ss}", "method",
						      json_sprintf("%s/%s", m->service, m->method),
						      "request", m->request, "answers",
						      m->streams ? "many" : "one"));
	if (client->output == CLIENT_TABLE)
		table_print(client, columns, NULL, rows);
	else
		result = client_print(client, json_pack("{sO}", "methods", rows));
	json_decref(rows);
	return result;
}

/* The request, from the argument or the file; NULL after a usage error. */
static json_t *read_request(const struct client *client, const char *text, struct file *file)
{
	json_error_t error;
	json_t *request;

	if (client->file && text) {
		client_usage_error("the request is the argument or -f FILE, not both");
		return NULL;
	}
	if (client->file)
		return file_load(file, client->file) == CLIENT_OK ? json_incref(file->value) : NULL;
	request = json_loads(text ? text : "{}", JSON_REJECT_DUPLICATES, &error);
	if (!request)
		client_usage_error("the request is not JSON: %s (at character %d)", error.text,
				   error.position);
	else if (json_is_object(request))
		return request;
	else
		client_usage_error("the request has to be a JSON object: '{...}'");
	json_decref(request);
	return NULL;
}

/* "Service/Method", with or without the package before it. */
static const struct schema_method *find(const char *name)
{
	const char *slash = strchr(name, '/');
	char service[64];
	const struct schema_method *method = NULL;

	if (strncmp(name, RPC_PACKAGE ".", strlen(RPC_PACKAGE ".")) == 0)
		name += strlen(RPC_PACKAGE ".");
	if (slash && (size_t)(slash - name) < sizeof(service)) {
		snprintf(service, sizeof(service), "%.*s", (int)(slash - name), name);
		method = schema_method(service, slash + 1);
	}
	if (!method)
		client_usage_error("'%s' is not a method: `sluicectl api list` has them", name);
	return method;
}

/* A message of a stream, on a line. */
static bool print_line(void *context, json_t *message)
{
	(void)context;
	json_dumpf(message, stdout, JSON_COMPACT);
	json_decref(message);
	printf("\n");
	return fflush(stdout) == 0;
}

static int send_request(const struct client *client, const struct schema_method *method,
			json_t *request, struct rpc_failure *why)
{
	struct client as_json = *client;
	json_t *reply;
	int result;

	if (method->streams)
		return rpc_stream(client, method->service, method->method, request, print_line,
				  NULL, why);
	result = rpc_call(client, method->service, method->method, request, &reply, why);
	if (result != CLIENT_OK)
		return result;
	if (client->output != CLIENT_YAML)
		as_json.output = CLIENT_JSON;
	return client_print(&as_json, reply);
}

int api_call(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	const struct schema_method *method = find(argv[0]);
	struct rpc_failure why = {0};
	struct file file = {0};
	json_t *request;
	int result;

	(void)noun;
	if (!method)
		return CLIENT_USAGE;
	request = read_request(client, argc > 1 ? argv[1] : NULL, &file);
	result = request ? send_request(client, method, request, &why) : CLIENT_USAGE;
	if (why.message[0])
		result = file_complain(&file, result, &why);
	file_free(&file);
	return result;
}
