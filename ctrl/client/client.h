/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sluicectl, the client of the control daemon's API (proto/sluice/v1).
 *
 *   main.c      options, and the way to a command
 *   command.c   the table of commands: names, arguments, options, help
 *   rpc.c       one call: Connect protocol, JSON, by http.c over the unix socket
 *   kind.c      what the resources look like; resource.c their standard verbs
 *   apply.c     the configuration as a whole
 *   observe.c   connections, workers; stats.c counters; profile.c a worker's time
 *   yaml_in.c   strict YAML to JSON, with lines; yaml_out.c back
 *   table.c     aligned columns
 *
 * JSON throughout: no generated code, so the client knows only the names that it prints.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>

#include <jansson.h>

/* Exit codes; part of the interface, see the man page. */
enum client_exit {
	CLIENT_OK,
	CLIENT_REFUSED,     /* the server said no: not found, invalid, conflict ... */
	CLIENT_USAGE,       /* wrong arguments or an unreadable file; nothing was sent */
	CLIENT_UNREACHABLE, /* no daemon there, or not one that speaks our protocol */
	CLIENT_DEADLINE,    /* no answer in time; the change may yet happen */
};

enum client_output { CLIENT_TABLE, CLIENT_JSON, CLIENT_YAML };

/* The command line, and where to send things. */
struct client {
	const char *socket;
	unsigned int timeout_ms;
	enum client_output output;

	/* Options that only some commands take; NULL or false when absent. */
	const char *file; /* "-" is standard input */
	const char *etag;
	const char *comment;
	const char *limit;
	bool dry_run;
	bool drops;
	bool all;
};

/* "sluicectl: ..." and a line end on standard error; returns CLIENT_USAGE, for `return`. */
int client_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Print `value` as the -o option says, taken over. In table form it is shown as YAML, for
 * people read a single object best so.
 */
int client_print(const struct client *client, json_t *value);

#endif
