/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/file.h"

#include <stdio.h>
#include <string.h>

int file_load(struct file *file, const char *path)
{
	char why[512];

	memset(file, 0, sizeof(*file));
	file->value = yaml_load(path, &file->places, why, sizeof(why));
	if (!file->value)
		return client_usage_error("%s", why);
	file->path = strcmp(path, "-") == 0 ? "standard input" : path;
	if (json_is_object(file->value))
		return CLIENT_OK;
	return client_usage_error("%s:%u: a mapping (KEY: VALUE) is wanted", file->path,
				  file->places.line);
}

void file_free(struct file *file)
{
	yaml_places_free(&file->places);
	json_decref(file->value);
	file->value = NULL;
}

int file_complain(const struct file *file, int exit_code, const struct rpc_failure *why)
{
	unsigned int line = file->path ? yaml_line_of(&file->places, file->value, why->message) : 0;

	char where[512] = "";

	if (line)
		snprintf(where, sizeof(where), "%s:%u: ", file->path, line);
	return rpc_complain(exit_code, where, why);
}
