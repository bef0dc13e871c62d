/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of commands and options, in the order of the help. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/command.h"

#define MANY   1000

#define CHANGE (OPTION_DRY_RUN | OPTION_ETAG)
#define APPLY  (OPTION_FILE | CHANGE | OPTION_COMMENT | OPTION_CONFIRM)

#define UPDATE_DETAIL                                                                      \
	"Without -f it reads the resource, sets the keys and writes it back; if somebody " \
	"else has changed it in between it is refused as `aborted`. With -f the file is "  \
	"the whole resource, and keys are set on top of it. An empty VALUE unsets a "      \
	"field; the elements of lists are separated by commas."

/* Of every resource. An interface has only the first three: it is a port of the appliance. */
static const struct command standard[] = {
	{"list", "", 0, 0, 0, COMPLETES_NOTHING, COMPLETES_NOTHING, "all of them", resource_list,
	 "List", NULL},
	{"show", "NAME", 1, 1, 0, COMPLETES_NAME, COMPLETES_NOTHING, "one, as a file would hold it",
	 resource_show, "Get", NULL},
	{"update", "NAME [KEY=VALUE...]", 1, MANY, OPTION_FILE | CHANGE, COMPLETES_NAME,
	 COMPLETES_KEYS, "set fields; with -f replace the whole", resource_update, "Update",
	 UPDATE_DETAIL},
	{"create", "NAME [KEY=VALUE...]", 1, MANY, OPTION_FILE | OPTION_DRY_RUN, COMPLETES_NOTHING,
	 COMPLETES_KEYS, "make a new one", resource_create, "Create", NULL},
	{"delete", "NAME", 1, 1, CHANGE, COMPLETES_NAME, COMPLETES_NOTHING, "remove it",
	 resource_delete, "Delete", NULL},
};

/* The same for what is part of something else. */
static const struct command backend[] = {
	{"list", "POOL", 1, 1, 0, COMPLETES_POOL, COMPLETES_NOTHING, "all of a pool", resource_list,
	 "List", NULL},
	{"show", "POOL/NAME", 1, 1, 0, COMPLETES_NAME, COMPLETES_NOTHING,
	 "one, as a file would hold it", resource_show, "Get", NULL},
	{"update", "POOL/NAME [KEY=VALUE...]", 1, MANY, OPTION_FILE | CHANGE, COMPLETES_NAME,
	 COMPLETES_KEYS, "set fields; with -f replace the whole", resource_update, "Update",
	 UPDATE_DETAIL},
	{"create", "POOL/NAME [KEY=VALUE...]", 1, MANY, OPTION_FILE | OPTION_DRY_RUN,
	 COMPLETES_POOL, COMPLETES_KEYS, "make a new one", resource_create, "Create", NULL},
	{"delete", "POOL/NAME", 1, 1, CHANGE, COMPLETES_NAME, COMPLETES_NOTHING, "remove it",
	 resource_delete, "Delete", NULL},
};

static const struct command apply[] = {
	{NULL, "", 0, 0, APPLY, COMPLETES_NOTHING, COMPLETES_NOTHING,
	 "make a file the whole configuration", config_apply, "ApplyConfig",
	 "What is not in the file is deleted. It is checked, stored and in use by all workers "
	 "when the command returns; when anything is wrong with it nothing has changed. "
	 "--dry-run stops after the check and shows what would change. --etag refuses unless "
	 "the configuration is still the one that had this etag. With --confirm-timeout what "
	 "there was before comes back unless `sluicectl confirm` is called in time, so that a "
	 "change that cuts its author off is undone."},
};

static const struct command diff[] = {
	{NULL, "[REVISION [REVISION]]", 0, 2, OPTION_FILE, COMPLETES_REVISION, COMPLETES_REVISION,
	 "what differs", diff_run, "DiffConfig",
	 "With -f from what is applied to the file; else from the first revision to the second, or "
	 "to what is applied."},
};

static const struct command history[] = {
	{NULL, "", 0, 0, OPTION_LIMIT, COMPLETES_NOTHING, COMPLETES_NOTHING,
	 "who changed the configuration, and when", history_list, "ListConfigRevisions",
	 "The newest first."},
};

static const struct command rollback[] = {
	{NULL, "REVISION", 1, 1, CHANGE | OPTION_COMMENT | OPTION_CONFIRM, COMPLETES_REVISION,
	 COMPLETES_NOTHING, "make the configuration what it was", history_rollback,
	 "RollbackConfig",
	 "It becomes a new revision. What waits for a confirmation does no longer."},
};

static const struct command confirm[] = {
	{NULL, "REVISION", 1, 1, 0, COMPLETES_REVISION, COMPLETES_NOTHING,
	 "keep what was applied with --confirm-timeout", history_confirm, "ConfirmConfig", NULL},
};

static const struct command audit[] = {
	{NULL, "[FILTER=VALUE...]", 0, MANY, OPTION_LIMIT, COMPLETES_FILTERS, COMPLETES_FILTERS,
	 "the calls that changed something, or wanted to", history_audit, "ListAuditEntries",
	 "The newest first. Filters are the keys that --help lists; all that are given have to "
	 "fit. "
	 "since= and until= take a time such as 2026-11-21T10:00:00Z, or how long ago: 30m, 2h, "
	 "7d."},
};

static const struct command backup[] = {
	{NULL, "FILE", 1, 1, OPTION_ALL, COMPLETES_NOTHING, COMPLETES_NOTHING,
	 "write the configuration to a file that `restore` reads", backup_run, "BackupConfig",
	 "The file is an sqlite database that can also take the place of the daemon's. With --all "
	 "past revisions and the audit log are in it, too."},
};

static const struct command restore[] = {
	{NULL, "FILE", 1, 1, OPTION_DRY_RUN | OPTION_COMMENT, COMPLETES_NOTHING, COMPLETES_NOTHING,
	 "make a backup's configuration the current one", restore_run, "RestoreConfig",
	 "The file is checked, and applied as a new revision: what it does not hold is deleted."},
};

static const struct command config[] = {
	{"show", "[REVISION]", 0, 1, 0, COMPLETES_REVISION, COMPLETES_NOTHING,
	 "the configuration, so that `apply` takes it back", config_show, "GetConfig",
	 "What is applied, or a revision of the past. Its revision and etag stand in a comment "
	 "on top."},
	{"apply", "", 0, 0, APPLY, COMPLETES_NOTHING, COMPLETES_NOTHING, "the same as `apply`",
	 config_apply, "ApplyConfig", NULL},
};

#define FILTERS_DETAIL                                                                            \
	"Filters are the keys that --help lists, such as virtual-server=NAME, backend=POOL/NAME " \
	"or client-address=ADDRESS; all that are given have to fit."

static const struct command connections[] = {
	{NULL, "[FILTER=VALUE...]", 0, MANY, OPTION_LIMIT, COMPLETES_FILTERS, COMPLETES_FILTERS,
	 "those that are open", connection_list, "ListConnections", FILTERS_DETAIL},
};

static const struct command connection[] = {
	{"list", "[FILTER=VALUE...]", 0, MANY, OPTION_LIMIT, COMPLETES_FILTERS, COMPLETES_FILTERS,
	 "the same as `connections`", connection_list, "ListConnections", NULL},
	{"delete", "[FILTER=VALUE...]", 0, MANY, OPTION_ALL, COMPLETES_FILTERS, COMPLETES_FILTERS,
	 "end those that fit, or --all", connection_delete, "DeleteConnections",
	 "The appliance forgets them at once; no RST is sent, so the peers learn of it by their "
	 "next packets. What is opened meanwhile may be met or not. When a worker does not get to "
	 "the end of its connections within the time of the call it is named, and the exit code is "
	 "4."},
	{"lookup", "tcp|udp CLIENT:PORT VIRTUAL:PORT", 3, 3, 0, COMPLETES_PROTOCOL,
	 COMPLETES_NOTHING, "what happens to a client's packet, and why", connection_lookup,
	 "LookupFlow",
	 "The worker that has it, and the connection that it belongs to; or what a first packet "
	 "would meet. IPv6 addresses stand in brackets: [2001:db8::1]:80."},
};

static const struct command stats[] = {
	{NULL, "", 0, 0, OPTION_DROPS, COMPLETES_NOTHING, COMPLETES_NOTHING,
	 "what was forwarded, and what was dropped and why", stats_show, "GetStats",
	 "By virtual server, SNAT policy, backend, port and worker; the workers' gauges; and the "
	 "packets "
	 "dropped, by reason."},
};

static const struct command watch[] = {
	{"stats", "", 0, 0, OPTION_INTERVAL | OPTION_LIMIT, COMPLETES_NOTHING, COMPLETES_NOTHING,
	 "rates by virtual server, backend and drop reason", watch_stats, "WatchStats",
	 "Every second, or --interval, until it is ended, or --limit of them. -o json is what the "
	 "API sends, counters and all, a line each."},
	{"events", "[RESUME-TOKEN]", 0, 1, OPTION_LIMIT, COMPLETES_NOTHING, COMPLETES_NOTHING,
	 "workers, ports and revisions, as they change", watch_events, "WatchEvents",
	 "From now on, or from an event on whose token -o json showed."},
};

static const struct command worker[] = {
	{"list", "", 0, 0, 0, COMPLETES_NOTHING, COMPLETES_NOTHING, "all of them, and how they are",
	 observe_workers, "ListWorkers", NULL},
	{"restart", "[ID]", 0, 1, OPTION_ALL, COMPLETES_WORKER, COMPLETES_NOTHING,
	 "hand one over to a fresh process, or --all in turn", observe_restart, "RestartWorker",
	 "The process is one of the program that is installed now. No connection is lost. The "
	 "command returns when the new process works; if it does not come up, nothing has "
	 "changed."},
	{"drain", "ID", 1, 1, OPTION_WAIT | OPTION_END, COMPLETES_WORKER, COMPLETES_NOTHING,
	 "let it open no more connections", drain_worker, "DrainWorker",
	 "Others open those of its flows, and those that it has go on. With --wait the command "
	 "returns when none is left, or after so long with exit code 4; with --end those that are "
	 "left then are ended. It stays drained, across its restarts and the daemon's, until it is "
	 "resumed or everything is restarted."},
	{"resume", "ID", 1, 1, 0, COMPLETES_WORKER, COMPLETES_NOTHING,
	 "let a drained one open connections again", resume_worker, "ResumeWorker", NULL},
	{"profile", "ID [MILLISECONDS]", 1, 2, 0, COMPLETES_WORKER, COMPLETES_NOTHING,
	 "where its time goes, by stage of its loop", profile_worker, "ProfileWorker",
	 "It is counted for a second, or so long, at most 5000; then cycles, packets, and what "
	 "a packet cost in each stage are shown. Counting itself costs the worker some percent."},
};

static const struct command api[] = {
	{"list", "", 0, 0, 0, COMPLETES_NOTHING, COMPLETES_NOTHING, "the methods", api_list, NULL,
	 NULL},
	{"call", "SERVICE/METHOD [JSON]", 1, 2, OPTION_FILE, COMPLETES_METHOD, COMPLETES_NOTHING,
	 "call one and print its answer", api_call, NULL,
	 "The request is the argument, or the file of -f, or empty. The answer is JSON as it "
	 "came, or YAML with -o yaml; of a stream JSON, a line for each message."},
};

static const struct command ipvsadm[] = {
	{NULL, "ARGUMENT...", 0, MANY, OPTION_OWN_WORDS, COMPLETES_NOTHING, COMPLETES_NOTHING,
	 "the command language of ipvsadm", ipvsadm_run, NULL,
	 "What is behind it is read as ipvsadm does, see sluice-ipvsadm(8). The same happens "
	 "when the program is called by the name of ipvsadm."},
};

static const struct command completion[] = {
	{NULL, "bash|zsh|fish", 1, 1, 0, COMPLETES_SHELL, COMPLETES_NOTHING,
	 "print the shell's script", completion_run, NULL,
	 "`make install` puts the scripts where the shells look for them. Names of resources and "
	 "workers are asked of the daemon; when it does not answer within half a second there "
	 "are none."},
};

static const struct command help[] = {
	{NULL, "[NOUN [VERB]]", 0, 2, 0, COMPLETES_NOUN, COMPLETES_NOTHING,
	 "of all, a noun, a command", help_run, NULL, "The same as --help behind them."},
};

#define OF(commands) commands, sizeof(commands) / sizeof((commands)[0])

const struct noun command_nouns[] = {
	{"apply", "the configuration as a whole, from a file", OF(apply), NULL, NULL},
	{"diff", "what a file would change, or revisions have", OF(diff), NULL, NULL},
	{"history", "the revisions of the configuration", OF(history), NULL, NULL},
	{"rollback", "back to a revision", OF(rollback), NULL, NULL},
	{"confirm", "an apply that waits for it", OF(confirm), NULL, NULL},
	{"config", "the configuration as a whole", OF(config), NULL, NULL},
	{"backup", "the configuration, to a file", OF(backup), NULL, NULL},
	{"restore", "the configuration, from a backup", OF(restore), NULL, NULL},
	{"virtual-server", "what clients connect to: address, port and protocol", OF(standard),
	 &kind_virtual_server, NULL},
	{"pool", "backends that serve the same", OF(standard), &kind_pool, NULL},
	{"backend", "a server of a pool", OF(backend), &kind_backend, NULL},
	{"local-pool", "source addresses towards backends", OF(standard), &kind_local_pool, NULL},
	{"interface", "a port of the boot configuration; its addresses are set here", standard, 3,
	 &kind_interface, NULL},
	{"route", "where a prefix goes", OF(standard), &kind_route, NULL},
	{"snat-policy", "which hosts inside reach out", OF(standard), &kind_snat_policy, NULL},
	{"connections", "what goes through the appliance now", OF(connections), NULL,
	 "ListConnectionsRequest"},
	{"connection", "the same; ending them; what a packet would meet", OF(connection), NULL,
	 "ListConnectionsRequest"},
	{"stats", "counters", OF(stats), NULL, NULL},
	{"watch", "what goes on, as it goes on", OF(watch), NULL, NULL},
	{"worker", "the processes that forward", OF(worker), NULL, NULL},
	{"audit", "who did what", OF(audit), NULL, "ListAuditEntriesRequest"},
	{"api", "any method of the API", OF(api), NULL, NULL},
	{"ipvsadm", "for who knows ipvsadm", OF(ipvsadm), NULL, NULL},
	{"completion", "of commands, options and live names, in a shell", OF(completion), NULL,
	 NULL},
	{"help", "what there is", OF(help), NULL, NULL},
	{0},
};

static const char *const forms[] = {"table", "wide", "json", "yaml", NULL};

static int set_output(struct client *client, const char *form)
{
	static const enum client_output outputs[] = {CLIENT_TABLE, CLIENT_TABLE, CLIENT_JSON,
						     CLIENT_YAML};

	for (int i = 0; forms[i]; i++) {
		if (strcmp(forms[i], form) == 0) {
			client->output = outputs[i];
			client->wide = strcmp(form, "wide") == 0;
			return CLIENT_OK;
		}
	}
	return client_usage_error("--output %s: table, wide, json or yaml", form);
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

#define FIELD(name) offsetof(struct client, name), NULL, NULL

const struct command_option command_options[] = {
	{"file", 'f', "FILE", OPTION_FILE, FIELD(file), "YAML or JSON; - is standard input"},
	{"dry-run", 0, NULL, OPTION_DRY_RUN, FIELD(dry_run), "check it, change nothing"},
	{"comment", 0, "TEXT", OPTION_COMMENT, FIELD(comment), "kept with the revision"},
	{"etag", 0, "ETAG", OPTION_ETAG, FIELD(etag),
	 "only if it is still the version with this etag"},
	{"limit", 0, "N", OPTION_LIMIT, FIELD(limit), "print at most N (1000)"},
	{"confirm-timeout", 0, "SECONDS", OPTION_CONFIRM, FIELD(confirm_timeout),
	 "undo it then, unless it is confirmed"},
	{"interval", 0, "SECONDS", OPTION_INTERVAL, FIELD(interval),
	 "between two messages, 0.1 to 60 (1)"},
	{"wait", 0, "SECONDS", OPTION_WAIT, FIELD(wait), "for its connections to end, 1 to 50"},
	{"end", 0, NULL, OPTION_END, FIELD(end), "end the connections that are left"},
	{"drops", 0, NULL, OPTION_DROPS, FIELD(drops), "only the drops, by reason"},
	{"all", 0, NULL, OPTION_ALL, FIELD(all),
	 "everything: each worker, what is past, all connections"},
	{"socket", 0, "FILE", 0, FIELD(socket),
	 "the daemon's (SLUICE_SOCKET, else /run/sluice/ctrl.sock)"},
	{"output", 'o', "FORM", 0, 0, set_output, forms, "table, wide, json or yaml (table)"},
	{"timeout", 0, "SECONDS", 0, 0, set_timeout, NULL, "to wait for an answer (30)"},
	{"help", 'h', NULL, 0, FIELD(help), "this, or the help of the noun and verb before it"},
	{"version", 0, NULL, 0, FIELD(version), "print the version"},
	{0},
};
