/* SPDX-License-Identifier: BSD-3-Clause */
/* sluicectl: options, and the way to a command. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/yaml_out.h"

#define OPTIONS_MAX 16
#define LONG_ONLY   256 /* getopt's value of option i without a letter: this + i */

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

static int set_output(struct client *client, const char *form)
{
	static const char *const forms[] = {
		[CLIENT_TABLE] = "table", [CLIENT_JSON] = "json", [CLIENT_YAML] = "yaml"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(forms[i], form) == 0) {
			client->output = (enum client_output)i;
			return CLIENT_OK;
		}
	}
	return client_usage_error("--output %s: table, json or yaml", form);
}

static int set_timeout(struct client *client, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.001 && seconds <= 3600))
		return client_usage_error("--timeout %s: 0.001 to 3600 seconds", text);
	client->timeout_ms = (unsigned int)(seconds * 1000);
	return CLIENT_OK;
}

static int set_option(struct client *client, const struct command_option *option, const char *value)
{
	if (strcmp(option->name, "file") == 0)
		client->file = value;
	else if (strcmp(option->name, "dry-run") == 0)
		client->dry_run = true;
	else if (strcmp(option->name, "comment") == 0)
		client->comment = value;
	else if (strcmp(option->name, "etag") == 0)
		client->etag = value;
	else if (strcmp(option->name, "limit") == 0)
		client->limit = value;
	else if (strcmp(option->name, "drops") == 0)
		client->drops = true;
	else if (strcmp(option->name, "all") == 0)
		client->all = true;
	else if (strcmp(option->name, "socket") == 0)
		client->socket = value;
	else if (strcmp(option->name, "output") == 0)
		return set_output(client, value);
	else if (strcmp(option->name, "timeout") == 0)
		return set_timeout(client, value);
	return CLIENT_OK;
}

/* getopt's tables from ours; `letters` has room for all. Returns their number. */
static int make_getopt(struct option *longs, char *letters)
{
	int n = 0;

	for (; command_options[n].name; n++) {
		const struct command_option *o = &command_options[n];

		longs[n] = (struct option){o->name, o->argument ? required_argument : no_argument,
					   NULL, o->letter ? o->letter : LONG_ONLY + n};
		if (o->letter)
			letters += sprintf(letters, "%c%s", o->letter, o->argument ? ":" : "");
	}
	memset(&longs[n], 0, sizeof(longs[n]));
	return n;
}

/* -1: options read, go on; else the exit code. `given`: the OPTION_* that were there. */
static int parse_options(struct client *client, int argc, char **argv, unsigned int *given,
			 bool *help)
{
	struct option longs[OPTIONS_MAX];
	char letters[2 * OPTIONS_MAX + 1];
	int n = make_getopt(longs, letters);
	int c;

	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int i = c >= LONG_ONLY ? c - LONG_ONLY : 0;

		if (c == '?')
			return CLIENT_USAGE;
		while (c < LONG_ONLY && i < n && command_options[i].letter != c)
			i++;
		if (strcmp(command_options[i].name, "version") == 0) {
			printf("sluicectl %s\n", SL_VERSION);
			return CLIENT_OK;
		}
		*help |= strcmp(command_options[i].name, "help") == 0;
		*given |= command_options[i].bit;
		if (set_option(client, &command_options[i], optarg) != CLIENT_OK)
			return CLIENT_USAGE;
	}
	return -1;
}

static int run(const struct client *client, unsigned int given, int argc, char **argv)
{
	const struct command *command;
	int used, result;

	if (argc == 0)
		return client_usage_error("no command: see sluicectl --help");
	command = command_find(argc, argv, &used);
	if (!command)
		return CLIENT_USAGE;
	result = command_check(command, given, argc - used);
	if (result == CLIENT_OK)
		result = command->run(client, command, argc - used, argv + used);
	return result;
}

int main(int argc, char **argv)
{
	struct client client = {.timeout_ms = 30000};
	unsigned int given = 0;
	bool help = false;
	int result;

	client.socket = getenv("SLUICE_SOCKET");
	if (!client.socket || !*client.socket)
		client.socket = "/run/sluice/ctrl.sock";
	result = parse_options(&client, argc, argv, &given, &help);
	if (result < 0 && help) {
		command_help(optind < argc ? argv[optind] : NULL);
		result = CLIENT_OK;
	}
	if (result < 0)
		result = run(&client, given, argc - optind, argv + optind);
	if (fflush(stdout) != 0 && result == CLIENT_OK)
		result = client_usage_error("standard output: %s", strerror(errno));
	return result;
}
