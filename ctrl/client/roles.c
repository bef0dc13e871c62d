/* SPDX-License-Identifier: BSD-3-Clause */
/* Which role a command takes, from the list that the daemon checks callers by. */
#include <stdio.h>
#include <string.h>

#include <sluice/api_methods.h>

#include "ctrl/client/command.h"

#define TEXT_VIEWER                          "viewer"
#define TEXT_OPERATOR                        "operator"
#define TEXT_ADMIN                           "admin"

#define ROW(name, role)                      {name, TEXT_##role},
#define METHOD(service, name, handler, role) ROW(name, role)
#define STREAM(service, name, handler, role) ROW(name, role)
#define STANDARD_ROW(name, role)             ROW(name, role)
#define STANDARD(service, verb, name, kind)  STANDARD_ROW(name, SL_API_ROLE_##verb)

static const struct {
	const char *method, *role;
} roles[] = {SL_API_METHODS(METHOD, STREAM, STANDARD)};

const char *command_role(const struct noun *noun, const struct command *command)
{
	const struct kind *kind = noun->kind;
	char method[64];

	if (!command->method)
		return NULL;
	snprintf(method, sizeof(method), "%s%s", command->method,
		 !kind                             ? ""
		 : strcmp(command->method, "List") ? kind->one
						   : kind->many);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].method, method) == 0)
			return roles[i].role;
	return NULL;
}
