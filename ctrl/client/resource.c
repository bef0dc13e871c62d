/* SPDX-License-Identifier: BSD-3-Clause */
/* list, show, create, update and delete, the same for every kind of resource. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/assign.h"
#include "ctrl/client/command.h"
#include "ctrl/client/file.h"
#include "ctrl/client/pages.h"
#include "ctrl/client/rpc.h"

static const char *method(char *buffer, size_t size, const char *verb, const char *what)
{
	snprintf(buffer, size, "%s%s", verb, what);
	return buffer;
}

/* A request that names a resource: POOL/NAME is taken apart where there is a parent. */
static json_t *named(const struct kind *kind, const char *name)
{
	const char *slash;

	if (!kind->parent)
		return json_pack("{ss}", "name", name);
	slash = strchr(name, '/');
	if (slash && slash != name && slash[1])
		return json_pack("{ss%ss}", kind->parent, name, (size_t)(slash - name), "name",
				 slash + 1);
	client_usage_error("'%s': a %s is named POOL/NAME", name, kind->noun);
	return NULL;
}

int resource_list(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	const struct kind *kind = noun->kind;
	json_t *all = json_array(), *request = json_object();
	char name[64];
	int result;

	if (argc)
		json_object_set_new(request, kind->parent, json_string(argv[0]));
	result =
		pages_collect(client, kind->service, method(name, sizeof(name), "List", kind->many),
			      request, kind->list, all);
	json_decref(request);
	if (result == CLIENT_OK && client->output == CLIENT_TABLE)
		table_print(client, kind->columns, kind->one, all);
	else if (result == CLIENT_OK)
		return client_print(client, json_pack("{so}", kind->list, all));
	json_decref(all);
	return result;
}

static int get(const struct client *client, const struct kind *kind, const char *name,
	       json_t **resource)
{
	json_t *request = named(kind, name);
	char get[64];

	if (!request)
		return CLIENT_USAGE;
	return rpc_call_or_complain(client, kind->service,
				    method(get, sizeof(get), "Get", kind->one), request, resource);
}

int resource_show(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *resource;
	int result = get(client, noun->kind, argv[0], &resource);

	(void)argc;
	return result == CLIENT_OK ? client_print(client, resource) : result;
}

/* KEY=VALUE... and --etag on top of what is in `resource`. */
static int fill_in(const struct client *client, const struct kind *kind, json_t *resource, int argc,
		   char **argv)
{
	for (int i = 0; i < argc; i++) {
		int result = assign(kind->one, kind->noun, resource, argv[i]);

		if (result != CLIENT_OK)
			return result;
	}
	if (client->etag)
		json_object_set_new(resource, "etag", json_string(client->etag));
	return CLIENT_OK;
}

/* Whether the assignments are good, before anything is asked of the server. */
static int check_assignments(const struct kind *kind, int argc, char **argv)
{
	json_t *scratch = json_object();
	int result = CLIENT_OK;

	for (int i = 0; i < argc && result == CLIENT_OK; i++)
		result = assign(kind->one, kind->noun, scratch, argv[i]);
	json_decref(scratch);
	return result;
}

/* The file's name field may be left out; when it is there it has to be the argument's. */
static int set_name(json_t *resource, const char *name, const char *file)
{
	const char *given = json_string_value(json_object_get(resource, "name"));

	if (given && strcmp(given, name) != 0)
		return client_usage_error("%s is about '%s', not '%s'", file, given, name);
	json_object_set_new(resource, "name", json_string(name));
	return CLIENT_OK;
}

/* Send a request (taken over) by Create or Update. The answer is the resource as stored. */
static int send_resource(const struct client *client, const struct kind *kind, const char *verb,
			 json_t *request, const struct file *file)
{
	struct rpc_failure why;
	json_t *reply;
	char name[64];
	int result;

	json_object_set_new(request, "validateOnly", json_boolean(client->dry_run));
	result = rpc_call(client, kind->service, method(name, sizeof(name), verb, kind->one),
			  request, &reply, &why);
	if (result != CLIENT_OK)
		return file_complain(file, result, &why);
	if (client->output != CLIENT_TABLE)
		return client_print(client, reply);
	json_decref(reply);
	printf("%s %s%s\n", kind->noun, strcmp(verb, "Create") == 0 ? "created" : "updated",
	       client->dry_run ? " (dry run)" : "");
	return CLIENT_OK;
}

/* The body of a create or update: the file's, or (for an update without one) the current. */
static int start_from(const struct client *client, const struct kind *kind, const char *name,
		      bool update, struct file *file, json_t **resource)
{
	if (client->file) {
		int result = file_load(file, client->file);

		*resource = json_incref(file->value);
		return result;
	}
	if (update)
		return get(client, kind, name, resource);
	*resource = json_object();
	return CLIENT_OK;
}

static int write_resource(const struct client *client, const struct kind *kind, const char *verb,
			  int argc, char **argv)
{
	bool update = strcmp(verb, "Update") == 0;
	json_t *request = named(kind, argv[0]);
	json_t *resource = NULL;
	struct file file = {0};
	const char *name;
	int result;

	if (!request)
		return CLIENT_USAGE;
	if (update && argc == 1 && !client->file) {
		json_decref(request);
		return client_usage_error("nothing to change: give KEY=VALUE or -f FILE");
	}
	name = json_string_value(json_object_get(request, "name"));
	result = check_assignments(kind, argc - 1, argv + 1);
	if (result == CLIENT_OK)
		result = start_from(client, kind, argv[0], update, &file, &resource);
	if (result == CLIENT_OK)
		result = set_name(resource, name, client->file);
	if (result == CLIENT_OK)
		result = fill_in(client, kind, resource, argc - 1, argv + 1);
	if (result == CLIENT_OK) {
		json_object_del(request, "name"); /* it is in the resource */
		json_object_set(request, kind->field, resource);
		result = send_resource(client, kind, verb, request, &file);
	} else {
		json_decref(request);
	}
	json_decref(resource);
	file_free(&file);
	return result;
}

int resource_create(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	return write_resource(client, noun->kind, "Create", argc, argv);
}

int resource_update(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	return write_resource(client, noun->kind, "Update", argc, argv);
}

int resource_delete(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	const struct kind *kind = noun->kind;
	json_t *request = named(kind, argv[0]);
	json_t *reply;
	char name[64];
	int result;

	(void)argc;
	if (!request)
		return CLIENT_USAGE;
	json_object_set_new(request, "validateOnly", json_boolean(client->dry_run));
	if (client->etag)
		json_object_set_new(request, "etag", json_string(client->etag));
	result = rpc_call_or_complain(client, kind->service,
				      method(name, sizeof(name), "Delete", kind->one), request,
				      &reply);
	if (result != CLIENT_OK)
		return result;
	if (client->output != CLIENT_TABLE)
		return client_print(client, reply);
	json_decref(reply);
	printf("%s deleted%s\n", kind->noun, client->dry_run ? " (dry run)" : "");
	return CLIENT_OK;
}
