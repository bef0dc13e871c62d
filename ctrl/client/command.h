/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands: one table that finds them, checks their arguments and makes the help. */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#include "ctrl/client/client.h"
#include "ctrl/client/kind.h"

/* Options that a command takes, as bits. */
#define OPTION_FILE    0x01
#define OPTION_DRY_RUN 0x02
#define OPTION_COMMENT 0x04
#define OPTION_ETAG    0x08
#define OPTION_LIMIT   0x10
#define OPTION_DROPS   0x20
#define OPTION_ALL     0x40

struct command {
	const char *noun;
	const char *verb;      /* NULL: the noun says it all */
	const char *arguments; /* for the help */
	int min_args, max_args;
	unsigned int options;
	const char *help;
	const struct kind *kind; /* or NULL */
	/* The exit code. `argv` are the arguments behind noun and verb. */
	int (*run)(const struct client *client, const struct command *command, int argc,
		   char **argv);
};

struct command_option {
	const char *name;
	char letter;          /* 0: the long form only */
	const char *argument; /* NULL: it takes none */
	unsigned int bit;     /* OPTION_*; 0: every command takes it */
	const char *help;
};

extern const struct command_option command_options[];

/*
 * The command that argv[0] (and argv[1]) name, and how many of them that took.
 * NULL when there is none; the reason is on standard error.
 */
const struct command *command_find(int argc, char **argv, int *used);

/* CLIENT_OK, or a usage error that says what `command` wants. `options`: those that were given. */
int command_check(const struct command *command, unsigned int options, int n_args);

/* Help on standard output: all, or the commands of one noun. */
void command_help(const char *noun);

/* resource.c */
int resource_list(const struct client *, const struct command *, int argc, char **argv);
int resource_show(const struct client *, const struct command *, int argc, char **argv);
int resource_create(const struct client *, const struct command *, int argc, char **argv);
int resource_update(const struct client *, const struct command *, int argc, char **argv);
int resource_delete(const struct client *, const struct command *, int argc, char **argv);

/* apply.c */
int config_apply(const struct client *, const struct command *, int argc, char **argv);
int config_show(const struct client *, const struct command *, int argc, char **argv);

/* observe.c */
int observe_connections(const struct client *, const struct command *, int argc, char **argv);
int observe_workers(const struct client *, const struct command *, int argc, char **argv);
int observe_restart(const struct client *, const struct command *, int argc, char **argv);
/* Digits only. */
bool observe_number(const char *text, unsigned long *number);

/* profile.c */
int profile_worker(const struct client *, const struct command *, int argc, char **argv);

/* stats.c */
int stats_show(const struct client *, const struct command *, int argc, char **argv);

#endif
