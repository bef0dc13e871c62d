/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/command.h"

#include <stdio.h>
#include <string.h>

#define MANY   1000

#define CHANGE (OPTION_DRY_RUN | OPTION_ETAG)

/* An interface is neither created nor deleted: it is a port of the boot configuration. */
#define READ_AND_UPDATE(noun, kind, list_arg, n_list, name)                                          \
	{noun, "list", list_arg, n_list, n_list, 0, "all of them", &kind, resource_list},            \
		{noun, "show", name, 1, 1, 0, "one, as a file would hold it", &kind, resource_show}, \
	{                                                                                            \
		noun, "update", name " [KEY=VALUE...]", 1, MANY, OPTION_FILE | CHANGE,               \
			"set fields; with -f replace the whole", &kind, resource_update              \
	}
#define STANDARD(noun, kind, list_arg, n_list, name)                                    \
	READ_AND_UPDATE(noun, kind, list_arg, n_list, name),                            \
		{noun,                                                                  \
		 "create",                                                              \
		 name " [KEY=VALUE...]",                                                \
		 1,                                                                     \
		 MANY,                                                                  \
		 OPTION_FILE | OPTION_DRY_RUN,                                          \
		 "make a new one",                                                      \
		 &kind,                                                                 \
		 resource_create},                                                      \
	{                                                                               \
		noun, "delete", name, 1, 1, CHANGE, "remove it", &kind, resource_delete \
	}

static const struct command commands[] = {
	{"apply", NULL, "", 0, 0, OPTION_FILE | OPTION_DRY_RUN | OPTION_COMMENT | OPTION_ETAG,
	 "make a file the whole configuration", NULL, config_apply},
	{"config", "show", "", 0, 0, 0, "the configuration, as `apply` takes it", NULL,
	 config_show},
	{"config", "apply", "", 0, 0, OPTION_FILE | OPTION_DRY_RUN | OPTION_COMMENT | OPTION_ETAG,
	 "the same as `apply`", NULL, config_apply},
	STANDARD("virtual-server", kind_virtual_server, "", 0, "NAME"),
	STANDARD("pool", kind_pool, "", 0, "NAME"),
	STANDARD("backend", kind_backend, "POOL", 1, "POOL/NAME"),
	STANDARD("local-pool", kind_local_pool, "", 0, "NAME"),
	READ_AND_UPDATE("interface", kind_interface, "", 0, "NAME"),
	STANDARD("route", kind_route, "", 0, "NAME"),
	{"connections", NULL, "[FILTER=VALUE...]", 0, MANY, OPTION_LIMIT,
	 "open ones; by virtual-server=, backend=, client=, protocol=, state=", NULL,
	 observe_connections},
	{"stats", NULL, "", 0, 0, OPTION_DROPS, "what was forwarded, and what was dropped and why",
	 NULL, stats_show},
	{"worker", "list", "", 0, 0, 0, "the workers and how they are", NULL, observe_workers},
	{"worker", "restart", "[ID]", 0, 1, OPTION_ALL,
	 "hand one over to a new process, or --all in turn; returns when it runs", NULL,
	 observe_restart},
	{"worker", "profile", "ID [MILLISECONDS]", 1, 2, 0,
	 "where its time goes, by stage, over a second or as said", NULL, profile_worker},
	{0},
};

const struct command_option command_options[] = {
	{"file", 'f', "FILE", OPTION_FILE, "YAML or JSON; - is standard input"},
	{"dry-run", 0, NULL, OPTION_DRY_RUN, "check it, change nothing"},
	{"comment", 0, "TEXT", OPTION_COMMENT, "kept with the revision"},
	{"etag", 0, "ETAG", OPTION_ETAG, "only if it is still the version with this etag"},
	{"limit", 0, "N", OPTION_LIMIT, "print at most N (1000)"},
	{"drops", 0, NULL, OPTION_DROPS, "only the drops, by reason"},
	{"all", 0, NULL, OPTION_ALL, "every worker, one after the other"},
	{"socket", 0, "FILE", 0, "the daemon's (SLUICE_SOCKET, else /run/sluice/ctrl.sock)"},
	{"output", 'o', "FORM", 0, "table, json or yaml (table)"},
	{"timeout", 0, "SECONDS", 0, "to wait for an answer (30)"},
	{"help", 'h', NULL, 0, "this, or the help of the noun before it"},
	{"version", 0, NULL, 0, "print the version"},
	{0},
};

const struct command *command_find(int argc, char **argv, int *used)
{
	bool noun_known = false;

	for (const struct command *c = commands; c->noun; c++) {
		if (strcmp(c->noun, argv[0]) != 0)
			continue;
		noun_known = true;
		*used = c->verb ? 2 : 1;
		if (!c->verb || (argc > 1 && strcmp(c->verb, argv[1]) == 0))
			return c;
	}
	if (!noun_known)
		client_usage_error("no command '%s': see sluicectl --help", argv[0]);
	else if (argc > 1)
		client_usage_error("no command '%s %s': see sluicectl %s --help", argv[0], argv[1],
				   argv[0]);
	else
		client_usage_error("%s what? see sluicectl %s --help", argv[0], argv[0]);
	return NULL;
}

int command_check(const struct command *command, unsigned int options, int n_args)
{
	const char *verb = command->verb ? command->verb : "";

	for (const struct command_option *o = command_options; o->name; o++)
		if (o->bit & options & ~command->options)
			return client_usage_error("--%s is not an option of `%s%s%s`", o->name,
						  command->noun, *verb ? " " : "", verb);
	if (n_args < command->min_args || n_args > command->max_args)
		return client_usage_error(
			"the command is: %s%s%s %s", command->noun, *verb ? " " : "", verb,
			*command->arguments ? command->arguments : "(no arguments)");
	return CLIENT_OK;
}

static void help_option(const struct command_option *o, const char *indent)
{
	char name[64], letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(name, sizeof(name), "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
		 o->argument ? o->argument : "");
	printf("%s%-24s  %s\n", indent, name, o->help);
}

static void help_command(const struct command *c, bool with_options)
{
	char usage[128];

	snprintf(usage, sizeof(usage), "%s%s%s%s%s", c->noun, c->verb ? " " : "",
		 c->verb ? c->verb : "", *c->arguments ? " " : "", c->arguments);
	printf("  %-42s  %s\n", usage, c->help);
	for (const struct command_option *o = command_options; with_options && o->name; o++)
		if (o->bit & c->options)
			help_option(o, "      ");
}

static void help_fields(const struct kind *kind)
{
	static const char *const types[] = {
		[FIELD_STRING] = "",
		[FIELD_NUMBER] = "=NUMBER",
		[FIELD_TRUTH] = "=true|false",
		[FIELD_LIST] = "=A,B,...",
	};

	if (!kind || !kind->fields->json)
		return;
	printf("keys:");
	for (const struct field *f = kind->fields; f->json; f++)
		printf(" %s%s", f->json, types[f->type]);
	printf("\n");
}

void command_help(const char *noun)
{
	const struct kind *kind = NULL;

	printf("usage: sluicectl [options] command [arguments]\n\n");
	for (const struct command *c = commands; c->noun; c++) {
		if (noun && strcmp(noun, c->noun) != 0)
			continue;
		help_command(c, noun != NULL);
		kind = c->kind;
	}
	if (noun)
		help_fields(kind);
	printf("\noptions of every command:\n");
	for (const struct command_option *o = command_options; o->name; o++)
		if (!o->bit)
			help_option(o, "  ");
	if (!noun)
		printf("\n`sluicectl NOUN --help` has the options and keys of a noun's "
		       "commands.\n");
	printf("exit codes: 0 done, 1 refused by the server, 2 wrong usage or file,\n"
	       "            3 daemon not reached, 4 no answer in time\n");
}
