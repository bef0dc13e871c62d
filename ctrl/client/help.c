/* SPDX-License-Identifier: BSD-3-Clause */
/* The help: the table of commands, for a person at a terminal. */
#include <stdio.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/schema.h"

#define WIDTH 78

/* Words of `text`, broken at WIDTH, each line behind `indent` blanks. */
static void print_wrapped(const char *text, int indent)
{
	int column = 0;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column && column + 1 + len > WIDTH) {
			printf("\n");
			column = 0;
		}
		column += column ? printf(" ") : printf("%*s", indent, "");
		column += printf("%.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	printf("\n");
}

static void print_option(const struct command_option *o, const char *indent)
{
	char name[64], letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(name, sizeof(name), "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
		 o->argument ? o->argument : "");
	printf("%s%-24s  %s\n", indent, name, o->help);
}

static void print_command(const struct noun *noun, const struct command *c)
{
	char usage[128];

	snprintf(usage, sizeof(usage), "%s%s%s%s%s", noun->name, c->verb ? " " : "",
		 c->verb ? c->verb : "", *c->arguments ? " " : "", c->arguments);
	printf("  %-42s  %s\n", usage, c->help);
}

static void print_role(const struct noun *noun, const struct command *c)
{
	const char *role = command_role(noun, c);

	if (role)
		printf("      role: %s\n", role);
}

static void print_options(const struct command *c)
{
	for (const struct command_option *o = command_options; o->name; o++)
		if (o->bit & c->options)
			print_option(o, "      ");
}

static const char *value_of(const struct schema_field *field)
{
	if (field->list)
		return "A,B,...";
	switch (field->type) {
	case SCHEMA_NUMBER: return "NUMBER";
	case SCHEMA_TRUTH: return "true|false";
	default: return "TEXT";
	}
}

/* What can be set by KEY=VALUE, as the .proto explains it. */
static void print_keys(const char *message)
{
	const struct schema_field *f = schema_message(message)->fields;
	const char *title = "keys:\n";

	for (; f->json; f++) {
		const struct schema_enum *e = f->type == SCHEMA_ENUM ? schema_enum(f->of) : NULL;
		char key[160];

		if (!schema_settable(f))
			continue;
		snprintf(key, sizeof(key), "%s=%s", f->json, e ? e->values[0] : value_of(f));
		for (int i = 1; e && e->values[0] && e->values[i]; i++)
			snprintf(key + strlen(key), sizeof(key) - strlen(key), "|%s", e->values[i]);
		printf(*f->text ? "%s  %-34s  %s\n" : "%s  %s%s\n", title, key, f->text);
		title = "";
	}
}

static void print_common(void)
{
	printf("\noptions of every command:\n");
	for (const struct command_option *o = command_options; o->name; o++)
		if (!o->bit)
			print_option(o, "  ");
}

static int print_all(void)
{
	printf("usage: sluicectl [options] command [arguments]\n\n");
	for (const struct noun *n = command_nouns; n->name; n++)
		for (unsigned int i = 0; i < n->n_commands; i++)
			print_command(n, &n->commands[i]);
	print_common();
	printf("\n`sluicectl NOUN --help` has the options and keys of a noun's commands.\n"
	       "exit codes: 0 done, 1 refused by the server, 2 wrong usage or file,\n"
	       "            3 daemon not reached, 4 no answer in time\n");
	return CLIENT_OK;
}

static int print_noun(const struct noun *noun)
{
	printf("%s: %s\n\n", noun->name, noun->help);
	for (unsigned int i = 0; i < noun->n_commands; i++) {
		const struct command *c = &noun->commands[i];

		print_command(noun, c);
		print_options(c);
		print_role(noun, c);
		if (!c->verb && c->detail)
			print_wrapped(c->detail, 6);
	}
	if (noun->kind || noun->filters)
		print_keys(noun->kind ? noun->kind->one : noun->filters);
	print_common();
	return CLIENT_OK;
}

int help_print(const char *name, const char *verb)
{
	const struct noun *noun = name ? command_noun(name) : NULL;
	const struct command *command;

	if (!name)
		return print_all();
	if (!noun)
		return client_usage_error("no command '%s': see sluicectl --help", name);
	if (!verb || !noun->commands[0].verb)
		return print_noun(noun);
	command = command_verb(noun, verb);
	if (!command)
		return client_usage_error("no command '%s %s': see sluicectl %s --help", name, verb,
					  name);
	print_command(noun, command);
	print_options(command);
	print_role(noun, command);
	if (command->detail)
		print_wrapped(command->detail, 6);
	if (noun->kind && command->others == COMPLETES_KEYS)
		print_keys(noun->kind->one);
	if (noun->filters && command->others == COMPLETES_FILTERS)
		print_keys(noun->filters);
	print_common();
	return CLIENT_OK;
}

int help_run(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	(void)client;
	(void)noun;
	return help_print(argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL);
}
