/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands: one table (commands.c) that finds them, checks their arguments, and makes the help,
 * the man page's part and the shells' completion.
 */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#include <stdio.h>

#include "ctrl/client/client.h"
#include "ctrl/client/kind.h"

/* Options that a command takes, as bits. */
#define OPTION_FILE     0x01
#define OPTION_DRY_RUN  0x02
#define OPTION_COMMENT  0x04
#define OPTION_ETAG     0x08
#define OPTION_LIMIT    0x10
#define OPTION_DROPS    0x20
#define OPTION_ALL      0x40
#define OPTION_CONFIRM  0x100
#define OPTION_INTERVAL 0x200
#define OPTION_WAIT     0x400
#define OPTION_END      0x800

/* No option: the words behind the noun are not ours to read. */
#define OPTION_OWN_WORDS 0x80

#define OPTIONS_MAX      32

/* What can stand where an argument stands; the names are asked of the daemon. */
enum completes {
	COMPLETES_NOTHING,
	COMPLETES_NAME,   /* of the command's kind */
	COMPLETES_POOL,   /* backend pools */
	COMPLETES_WORKER, /* numbers of workers */
	COMPLETES_REVISION,
	COMPLETES_KEYS,    /* KEY= of the command's kind, then VALUE */
	COMPLETES_FILTERS, /* the same of the noun's filters */
	COMPLETES_METHOD,  /* Service/Method */
	COMPLETES_SHELL,
	COMPLETES_PROTOCOL,
	COMPLETES_NOUN,
};

struct noun;

struct command {
	const char *verb;      /* NULL: the noun says it all */
	const char *arguments; /* for the help; "" is none */
	int min_args, max_args;
	unsigned int options;
	enum completes first, others; /* what its arguments are */
	const char *help;             /* one line */
	/* The exit code. `argv` are the arguments behind noun and verb. */
	int (*run)(const struct client *client, const struct noun *noun, int argc, char **argv);
	/* Of the API, what it needs most for; of a resource the verb in it. NULL: none, or any */
	const char *method;
	const char *detail; /* sentences more, or NULL */
};

struct noun {
	const char *name;
	const char *help;
	const struct command *commands;
	unsigned int n_commands;
	const struct kind *kind; /* of a resource, or NULL */
	const char *filters;     /* the request message whose fields filter a list, or NULL */
};

struct command_option {
	const char *name;
	char letter;          /* 0: the long form only */
	const char *argument; /* NULL: it takes none */
	unsigned int bit;     /* OPTION_*; 0: every command takes it */
	size_t offset;        /* in struct client, of a const char *, or a bool without argument */
	/* Instead of the offset: CLIENT_OK or a usage error. */
	int (*set)(struct client *client, const char *value);
	const char *const *values; /* what it can be; NULL: anything */
	const char *help;
};

/* Both end with a name of NULL. */
extern const struct noun command_nouns[];
extern const struct command_option command_options[];

/* NULL when there is none. */
const struct noun *command_noun(const char *name);
/* The command of a verb; that of a noun without verbs whatever `verb` is. NULL: none. */
const struct command *command_verb(const struct noun *noun, const char *verb);

/*
 * The command that argv[0] (and argv[1]) name, and how many of them that took.
 * NULL when there is none; the reason is on standard error.
 */
const struct command *command_find(int argc, char **argv, const struct noun **noun, int *used);

/* CLIENT_OK, or a usage error that says what `command` wants. `options`: those that were given. */
int command_check(const struct noun *noun, const struct command *command, unsigned int options,
		  int n_args);

/*
 * roles.c: the role that the daemon wants of who gives the command, by the method that it calls.
 * NULL: none, or it depends on what is called.
 */
const char *command_role(const struct noun *noun, const struct command *command);

/* help.c: on standard output; the commands of one noun, or one verb of it. NULL: all. */
int help_print(const char *noun, const char *verb);
int help_run(const struct client *, const struct noun *, int argc, char **argv);

/* mdoc.c: the section of the man page that lists the commands. */
void mdoc_print(FILE *to);

/*
 * complete.c: what could stand for the last of `words` (those behind the program's name, up to
 * the cursor): one candidate a line, a tab, what it is. A line ":files" asks for files, a candidate
 * that ends in '=', ',' or '/' goes on. Names come from the daemon, within half a second, or don't.
 */
void complete_print(FILE *to, const struct client *client, int n_words, char **words);
/* `sluicectl completion SHELL`: the script that asks for them. */
int completion_run(const struct client *, const struct noun *, int argc, char **argv);

/* resource.c */
int resource_list(const struct client *, const struct noun *, int argc, char **argv);
int resource_show(const struct client *, const struct noun *, int argc, char **argv);
int resource_create(const struct client *, const struct noun *, int argc, char **argv);
int resource_update(const struct client *, const struct noun *, int argc, char **argv);
int resource_delete(const struct client *, const struct noun *, int argc, char **argv);

/* apply.c */
int config_apply(const struct client *, const struct noun *, int argc, char **argv);
int config_show(const struct client *, const struct noun *, int argc, char **argv);

/* diff.c */
int diff_run(const struct client *, const struct noun *, int argc, char **argv);

/* history.c */
int history_list(const struct client *, const struct noun *, int argc, char **argv);
int history_audit(const struct client *, const struct noun *, int argc, char **argv);
int history_rollback(const struct client *, const struct noun *, int argc, char **argv);
int history_confirm(const struct client *, const struct noun *, int argc, char **argv);
/* --confirm-timeout, when it is given, into a request; CLIENT_OK or a usage error. */
int history_confirm_timeout(const struct client *client, json_t *request);
/* What an answer says of the confirmation it waits for. */
void history_say_deadline(json_t *reply);

/* backup.c */
int backup_run(const struct client *, const struct noun *, int argc, char **argv);
int restore_run(const struct client *, const struct noun *, int argc, char **argv);

/* connection.c */
int connection_list(const struct client *, const struct noun *, int argc, char **argv);
int connection_delete(const struct client *, const struct noun *, int argc, char **argv);
int connection_lookup(const struct client *, const struct noun *, int argc, char **argv);

/* drain.c */
int drain_worker(const struct client *, const struct noun *, int argc, char **argv);
int resume_worker(const struct client *, const struct noun *, int argc, char **argv);

/* observe.c */
int observe_workers(const struct client *, const struct noun *, int argc, char **argv);
int observe_restart(const struct client *, const struct noun *, int argc, char **argv);
/* Digits only. */
bool observe_number(const char *text, unsigned long *number);

/* watch.c */
int watch_stats(const struct client *, const struct noun *, int argc, char **argv);
int watch_events(const struct client *, const struct noun *, int argc, char **argv);

/* profile.c */
int profile_worker(const struct client *, const struct noun *, int argc, char **argv);

/* stats.c */
int stats_show(const struct client *, const struct noun *, int argc, char **argv);

/* ipvsadm/ipvsadm.c */
int ipvsadm_run(const struct client *, const struct noun *, int argc, char **argv);

/* api.c */
int api_call(const struct client *, const struct noun *, int argc, char **argv);
int api_list(const struct client *, const struct noun *, int argc, char **argv);

#endif
