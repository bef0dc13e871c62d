/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration as a whole: apply a file, show what is applied. */
#include <stdio.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/file.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/yaml_out.h"

static unsigned long long count(json_t *reply, const char *field)
{
	return (unsigned long long)json_integer_value(json_object_get(reply, field));
}

static void say(const struct client *client, json_t *reply)
{
	unsigned long long created = count(reply, "created");
	unsigned long long updated = count(reply, "updated");
	unsigned long long deleted = count(reply, "deleted");
	const char *revision = json_string_value(json_object_get(reply, "revision"));

	revision = revision ? revision : "0";
	if (created + updated + deleted == 0)
		printf("nothing to change, revision %s stands\n", revision);
	else if (client->dry_run)
		printf("would create %llu, update %llu, delete %llu; revision %s stands\n", created,
		       updated, deleted, revision);
	else
		printf("revision %s: %llu created, %llu updated, %llu deleted\n", revision, created,
		       updated, deleted);
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
	json_t *config;
	int result;

	(void)noun;
	(void)argc;
	(void)argv;
	result = rpc_call_or_complain(client, "ConfigService", "GetConfig", json_object(), &config);
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
