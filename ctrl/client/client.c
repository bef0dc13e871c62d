/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/client.h"

#include <stdarg.h>
#include <stdio.h>

#include "ctrl/client/yaml_out.h"

int client_usage_error(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "sluicectl: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	return CLIENT_USAGE;
}

int client_print(const struct client *client, json_t *value)
{
	int err;

	if (client->output == CLIENT_JSON) {
		err = json_dumpf(value, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		err = yaml_print(stdout, value);
	}
	json_decref(value);
	return err ? client_usage_error("cannot print the answer") : CLIENT_OK;
}
