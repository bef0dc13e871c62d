/* SPDX-License-Identifier: BSD-3-Clause */
/* sluicectl: options, and the way to a command. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/ipvsadm/ipvsadm.h"

#define LONG_ONLY 256 /* getopt's value of option i without a letter: this + i */

static int set_option(struct client *client, const struct command_option *option, const char *value)
{
	void *field = (char *)client + option->offset;

	if (option->set)
		return option->set(client, value);
	if (option->argument)
		*(const char **)field = value;
	else
		*(bool *)field = true;
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

/*
 * CLIENT_OK, or a usage error. `given`: the OPTION_* that were there. `leading`: stop at the
 * first word that is no option.
 */
static int parse_options(struct client *client, int argc, char **argv, unsigned int *given,
			 bool leading)
{
	struct option longs[OPTIONS_MAX];
	char letters[2 * OPTIONS_MAX + 2] = "+";
	int n = make_getopt(longs, letters + 1);
	int c;

	argv[0] = "sluicectl"; /* in its complaints, as in ours */
	optind = 0;            /* from the beginning */
	while ((c = getopt_long(argc, argv, letters + !leading, longs, NULL)) != -1) {
		int i = c >= LONG_ONLY ? c - LONG_ONLY : 0;

		if (c == '?')
			return CLIENT_USAGE;
		while (c < LONG_ONLY && i < n && command_options[i].letter != c)
			i++;
		*given |= command_options[i].bit;
		if (set_option(client, &command_options[i], optarg) != CLIENT_OK)
			return CLIENT_USAGE;
	}
	return CLIENT_OK;
}

static int run(const struct client *client, unsigned int given, int argc, char **argv)
{
	const struct command *command;
	const struct noun *noun;
	int used, result;

	if (client->help)
		return help_print(argc > 0 ? argv[0] : NULL, argc > 1 ? argv[1] : NULL);
	if (client->version) {
		printf("sluicectl %s\n", SL_VERSION);
		return CLIENT_OK;
	}
	if (argc == 0)
		return client_usage_error("no command: see sluicectl --help");
	command = command_find(argc, argv, &noun, &used);
	if (!command)
		return CLIENT_USAGE;
	result = command_check(noun, command, given, argc - used);
	if (result == CLIENT_OK)
		result = command->run(client, noun, argc - used, argv + used);
	return result;
}

/* An ordinary command: its options may stand anywhere. */
static int run_command(struct client *client, int argc, char **argv)
{
	unsigned int given = 0;
	int result = parse_options(client, argc, argv, &given, false);

	return result == CLIENT_OK ? run(client, given, argc - optind, argv + optind) : result;
}

/* Whether the words behind a noun are options of its own, as `sluicectl ipvsadm -L` has. */
static bool has_own_words(const char *name)
{
	const struct noun *noun = command_noun(name);

	return noun && noun->commands[0].options & OPTION_OWN_WORDS;
}

static int run_any(struct client *client, int argc, char **argv)
{
	unsigned int given = 0;
	int result;

	if (strcmp(basename(argv[0]), "ipvsadm") == 0)
		return ipvsadm_main(client, argc, argv);
	if (argc >= 2 && strcmp(argv[1], "__complete") == 0) {
		complete_print(stdout, client, argc - 2, argv + 2);
		return CLIENT_OK;
	}
	if (argc == 2 && strcmp(argv[1], "__mdoc") == 0) {
		mdoc_print(stdout);
		return CLIENT_OK;
	}
	result = parse_options(client, argc, argv, &given, true);
	if (result == CLIENT_OK && optind < argc && has_own_words(argv[optind]))
		return run(client, given, argc - optind, argv + optind);
	return result == CLIENT_OK ? run_command(client, argc, argv) : result;
}

int main(int argc, char **argv)
{
	struct client client = {.timeout_ms = 30000};
	int result;

	client.socket = getenv("SLUICE_SOCKET");
	if (!client.socket || !*client.socket)
		client.socket = "/run/sluice/ctrl.sock";
	result = run_any(&client, argc, argv);
	if (fflush(stdout) != 0 && result == CLIENT_OK)
		result = client_usage_error("standard output: %s", strerror(errno));
	return result;
}
