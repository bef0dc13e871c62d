/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/command.h"

#include <string.h>

const struct noun *command_noun(const char *name)
{
	const struct noun *n = command_nouns;

	while (n->name && strcmp(n->name, name) != 0)
		n++;
	return n->name ? n : NULL;
}

const struct command *command_verb(const struct noun *noun, const char *verb)
{
	for (unsigned int i = 0; i < noun->n_commands; i++) {
		const struct command *c = &noun->commands[i];

		if (!c->verb || (verb && strcmp(c->verb, verb) == 0))
			return c;
	}
	return NULL;
}

const struct command *command_find(int argc, char **argv, const struct noun **noun, int *used)
{
	const struct command *command;

	*noun = command_noun(argv[0]);
	if (!*noun) {
		client_usage_error("no command '%s': see sluicectl --help", argv[0]);
		return NULL;
	}
	command = command_verb(*noun, argc > 1 ? argv[1] : NULL);
	if (command)
		*used = command->verb ? 2 : 1;
	else if (argc > 1)
		client_usage_error("no command '%s %s': see sluicectl %s --help", argv[0], argv[1],
				   argv[0]);
	else
		client_usage_error("%s what? see sluicectl %s --help", argv[0], argv[0]);
	return command;
}

int command_check(const struct noun *noun, const struct command *command, unsigned int options,
		  int n_args)
{
	const char *blank = command->verb ? " " : "", *verb = command->verb ? command->verb : "";

	for (const struct command_option *o = command_options; o->name; o++)
		if (o->bit & options & ~command->options)
			return client_usage_error("--%s is not an option of `%s%s%s`", o->name,
						  noun->name, blank, verb);
	if (n_args < command->min_args || n_args > command->max_args)
		return client_usage_error("the command is: %s%s%s %s", noun->name, blank, verb,
					  *command->arguments ? command->arguments
							      : "(no arguments)");
	return CLIENT_OK;
}
