/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sluicectl, the client of the control daemon's API (proto/sluice/v1).
 *
 *   main.c        options, and the way to a command
 *   commands.c    the table of commands and options: all that names them is made from it,
 *                 help.c, mdoc.c (the man page's part), complete.c (the shells' completion)
 *   command.c     finds and checks in it; roles.c who may give a command
 *   schema.c      what the .proto files say: fields, enums, methods
 *   rpc.c         one call: Connect protocol, JSON, by http.c over the unix socket;
 *   stream.c      one that answers with a stream
 *   kind.c        what the resources look like; resource.c their standard verbs
 *   assign.c      KEY=VALUE; pages.c lists with filters
 *   apply.c       the configuration as a whole
 *   history.c     its revisions and the audit log; diff.c what differs
 *   connection.c  connections: listed, ended
 *   observe.c     workers; drain.c drained, resumed; profile.c a worker's time
 *   stats.c       counters
 *   backup.c      backups, to a file and back
 *   watch.c       statistics and events as they go on
 *   api.c         any method, with JSON as it is
 *   ipvsadm/      the command language of ipvsadm
 *   yaml_in.c     strict YAML to JSON, with lines; yaml_out.c back
 *   table.c       aligned columns; term.c what only a terminal gets
 *
 * JSON throughout: what the client does not know of a message it hands on as it is.
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
	bool wide; /* a table with all there is */

	/* Options that only some commands take; NULL or false when absent. */
	const char *file; /* "-" is standard input */
	const char *etag;
	const char *comment;
	const char *limit;
	const char *confirm_timeout;
	const char *interval;
	const char *wait;
	bool end;
	bool dry_run;
	bool drops;
	bool all;

	bool help, version;
};

/* "sluicectl: ..." and a line end on standard error; returns CLIENT_USAGE, for `return`. */
int client_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Print `value` as the -o option says, taken over. In table form it is shown as YAML, for
 * people read a single object best so.
 */
int client_print(const struct client *client, json_t *value);

#endif
