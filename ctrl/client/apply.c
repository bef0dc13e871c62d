/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration as a whole: apply a file, show what is applied. */
#include <stdio.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/diff.h"
#include "ctrl/client/file.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/yaml_out.h"

static void say(const struct client *client, json_t *reply)
{
	const char *revision = json_string_value(json_object_get(reply, "revision"));
	char counts[128];

	revision = revision ? revision : "0";
	diff_counts(reply, counts, sizeof(counts));
	diff_print(json_object_get(reply, "changes"));
	if (strcmp(counts, "0 created, 0 updated, 0 deleted") == 0)
		printf("nothing to change, revision %s stands\n", revision);
	else if (client->dry_run)
		printf("would be: %s; revision %s stands\n", counts, revision);
	else
		printf("revision %s: %s\n", revision, counts);
	history_say_deadline(reply);
}

static int apply(const struct client *client, const struct file *file)
{
	struct rpc_failure why;
	json_t *request, *reply;
	int result;

	if (client->etag)
		json_object_set_new(file->value, "etag", json_string(client->etag));
	request = json_pack("{sO sb ss}", "config", file->value, "validateOnly", client->dry_run,
			    "comment", client->comment ? client->comment : "");
	result = history_confirm_timeout(client, request);
	if (result != CLIENT_OK) {
		json_decref(request);
		return result;
	}
	result = rpc_call(client, "ConfigService", "ApplyConfig", request, &reply, &why);
	if (result != CLIENT_OK)
		return file_complain(file, result, &why);
	if (client->output != CLIENT_TABLE)
		return client_print(client, reply);
	say(client, reply);
	json_decref(reply);
	return CLIENT_OK;
}

int config_apply(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	struct file file;
	int result;

	(void)noun;
	(void)argc;
	(void)argv;
	if (!client->file)
		return client_usage_error("apply what? -f FILE, or -f - for standard input");
	result = file_load(&file, client->file);
	if (result == CLIENT_OK)
		result = apply(client, &file);
	file_free(&file);
	return result;
}

/* Leave what an operator sets. The etags go too: what is shown can be applied later. */
static void strip(json_t *value)
{
	static const char *const output_only[] = {"etag", "revision", "mac",
						  "mtu",  "linkUp",   "steering"};
	json_t *child;
	const char *key;
	size_t i;

	json_array_foreach (value, i, child)
		strip(child);
	if (!json_is_object(value))
		return;
	for (i = 0; i < sizeof(output_only) / sizeof(output_only[0]); i++)
		json_object_del(value, output_only[i]);
	json_object_foreach (value, key, child)
		strip(child);
}

int config_show(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	const char *revision, *etag;
	json_t *config, *request = json_object();
	unsigned long number = 0;
	int result;

	(void)noun;
	if (argc && !observe_number(argv[0], &number)) {
		json_decref(request);
		return client_usage_error("'%s' is not the number of a revision: `sluicectl "
					  "history` has them",
					  argv[0]);
	}
	if (number)
		json_object_set_new(request, "revision", json_integer((json_int_t)number));
	result = rpc_call_or_complain(client, "ConfigService", "GetConfig", request, &config);
	if (result != CLIENT_OK)
		return result;
	if (client->output == CLIENT_JSON)
		return client_print(client, config);
	revision = json_string_value(json_object_get(config, "revision"));
	etag = json_string_value(json_object_get(config, "etag"));
	printf("# revision %s, etag %s\n", revision ? revision : "0", etag ? etag : "-");
	strip(config);
	return client_print(client, config);
}
