/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line. popt reads it, as it does for ipvsadm, so that what is taken and the
 * messages about what is not are the same; two tables say which options a command wants and takes.
 */
#include <stdlib.h>
#include <string.h>

#include <popt.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"

#define VERSION_LINE "ipvsadm v1.31 (the personality of sluicectl " SL_VERSION ")\n"
#define COMMAND      1000 /* popt's value of a command: this + enum ipvs_command */
#define OPTION       2000 /* of an option: this + its place in `options` */

#define LISTING                                                                                \
	(IPVS_NUMERIC | IPVS_CONNECTION | IPVS_TIMEOUT | IPVS_STATS | IPVS_RATE | IPVS_EXACT | \
	 IPVS_THRESHOLDS | IPVS_PERSISTENT_CONN | IPVS_NOSORT | IPVS_SERVICE | IPVS_DAEMON |   \
	 IPVS_TUN_INFO)
#define SCHEDULING                                                                      \
	(IPVS_SCHEDULER | IPVS_LADDR_POOL | IPVS_PERSISTENT | IPVS_NETMASK | IPVS_OPS | \
	 IPVS_SCHED_FLAGS | IPVS_PE)
#define FORWARDING                                                                  \
	(IPVS_METHOD | IPVS_WEIGHT | IPVS_UTHRESHOLD | IPVS_LTHRESHOLD | IPVS_TUN | \
	 IPVS_TUN_REMCSUM)

static const struct {
	const char *name; /* long */
	char letter, letter2;
	const char *said; /* in messages */
	unsigned int wants, takes;
} commands[IPVS_COMMANDS] = {
	[IPVS_ADD_SERVICE] = {"add-service", 'A', 0, "add-service", IPVS_SERVICE, SCHEDULING},
	[IPVS_EDIT_SERVICE] = {"edit-service", 'E', 0, "edit-service", IPVS_SERVICE, SCHEDULING},
	[IPVS_DELETE_SERVICE] = {"delete-service", 'D', 0, "delete-service", IPVS_SERVICE, 0},
	[IPVS_FLUSH] = {"clear", 'C', 0, "flush", 0, 0},
	[IPVS_RESTORE] = {"restore", 'R', 0, "restore", 0, 0},
	[IPVS_SAVE] = {"save", 'S', 0, "save", 0, IPVS_NUMERIC},
	[IPVS_ADD_SERVER] = {"add-server", 'a', 0, "add-server", IPVS_SERVICE | IPVS_SERVER,
			     FORWARDING},
	[IPVS_EDIT_SERVER] = {"edit-server", 'e', 0, "edit-server", IPVS_SERVICE | IPVS_SERVER,
			      FORWARDING},
	[IPVS_DELETE_SERVER] = {"delete-server", 'd', 0, "delete-server",
				IPVS_SERVICE | IPVS_SERVER, 0},
	[IPVS_LIST] = {"list", 'L', 'l', "list", 0, LISTING},
	[IPVS_ZERO] = {"zero", 'Z', 0, "zero", 0, IPVS_SERVICE},
	[IPVS_SET] = {"set", 0, 0, "set", 0, 0},
	[IPVS_START_DAEMON] = {"start-daemon", 0, 0, "start-daemon", 0, IPVS_SYNC},
	[IPVS_STOP_DAEMON] = {"stop-daemon", 0, 0, "stop-daemon", 0, IPVS_SYNC},
	[IPVS_ADD_LADDR] = {"add-laddr", 0, 0, "add-laddr", IPVS_SERVICE | IPVS_LADDR, 0},
	[IPVS_DELETE_LADDR] = {"del-laddr", 0, 0, "del-laddr", IPVS_SERVICE | IPVS_LADDR, 0},
	[IPVS_LIST_LADDR] = {"get-laddr", 0, 0, "get-laddr", 0, IPVS_SERVICE | IPVS_NUMERIC},
	[IPVS_HELP] = {"help", 'h', 0, "help", 0, ~0u},
	[IPVS_VERSION] = {"version", 'v', 0, "version", 0, ~0u},
};

enum argument { NONE, WANTED, MAYBE };

static const struct {
	const char *name;
	char letter;
	enum argument argument;
	unsigned int bit;
	const char *said;    /* in messages */
	const char *refused; /* what is not done here; NULL: it is */
} options[] = {
	{"tcp-service", 't', WANTED, IPVS_SERVICE, "service-address", NULL},
	{"udp-service", 'u', WANTED, IPVS_SERVICE, "service-address", NULL},
	{"sctp-service", 0, WANTED, IPVS_SERVICE, "service-address", "SCTP"},
	{"fwmark-service", 'f', WANTED, IPVS_SERVICE, "service-address", "firewall marks"},
	{"real-server", 'r', WANTED, IPVS_SERVER, "real-server", NULL},
	{"scheduler", 's', WANTED, IPVS_SCHEDULER, "scheduler", NULL},
	{"gatewaying", 'g', NONE, IPVS_METHOD, "forwarding-method", NULL},
	{"masquerading", 'm', NONE, IPVS_METHOD, "forwarding-method", NULL},
	{"ipip", 'i', NONE, IPVS_METHOD, "forwarding-method", NULL},
	{"fullnat", 0, NONE, IPVS_METHOD, "forwarding-method", NULL},
	{"weight", 'w', WANTED, IPVS_WEIGHT, "weight", NULL},
	{"laddr", 0, WANTED, IPVS_LADDR, "laddr", NULL},
	{"laddr-pool", 0, WANTED, IPVS_LADDR_POOL, "laddr-pool", NULL},
	{"numeric", 'n', NONE, IPVS_NUMERIC, "numeric", NULL},
	{"connection", 'c', NONE, IPVS_CONNECTION, "connection", NULL},
	{"timeout", 0, NONE, IPVS_TIMEOUT, "timeout", NULL},
	{"stats", 0, NONE, IPVS_STATS, "stats", NULL},
	{"rate", 0, NONE, IPVS_RATE, "rate", NULL},
	{"exact", 'X', NONE, IPVS_EXACT, "exact", NULL},
	{"nosort", 0, NONE, IPVS_NOSORT, "nosort", NULL},
	{"sort", 0, NONE, 0, "sort", NULL}, /* does nothing, as in ipvsadm */
	{"thresholds", 0, NONE, IPVS_THRESHOLDS, "thresholds", NULL},
	{"persistent-conn", 0, NONE, IPVS_PERSISTENT_CONN, "persistent-conn", NULL},
	{"daemon", 0, NONE, IPVS_DAEMON, "daemon", "connection synchronisation"},
	{"tun-info", 0, NONE, IPVS_TUN_INFO, "tun-info", NULL},
	{"persistent", 'p', MAYBE, IPVS_PERSISTENT, "persistent", NULL},
	{"netmask", 'M', WANTED, IPVS_NETMASK, "netmask", NULL},
	{"pe", 0, WANTED, IPVS_PE, "pe", "persistence engines"},
	{"ops", 'o', NONE, IPVS_OPS, "ops", "one-packet scheduling"},
	{"sched-flags", 'b', WANTED, IPVS_SCHED_FLAGS, "sched-flags", NULL},
	{"u-threshold", 'x', WANTED, IPVS_UTHRESHOLD, "u-threshold", NULL},
	{"l-threshold", 'y', WANTED, IPVS_LTHRESHOLD, "l-threshold", NULL},
	{"tun-type", 0, WANTED, IPVS_TUN_TYPE, "tun-type", NULL},
	{"tun-port", 0, WANTED, IPVS_TUN_PORT, "tun-port", NULL},
	{"tun-nocsum", 0, NONE, IPVS_TUN_NOCSUM, "tun-nocsum", NULL},
	{"tun-csum", 0, NONE, IPVS_TUN_CSUM, "tun-csum", NULL},
	{"tun-remcsum", 0, NONE, IPVS_TUN_REMCSUM, "tun-remcsum", "checksums of tunnels"},
	{"syncid", 0, WANTED, IPVS_SYNC, "syncid", "connection synchronisation"},
	{"sync-maxlen", 0, WANTED, IPVS_SYNC, "sync-maxlen", "connection synchronisation"},
	{"mcast-interface", 0, WANTED, IPVS_SYNC, "mcast-interface", "connection synchronisation"},
	{"mcast-group", 0, WANTED, IPVS_SYNC, "mcast-group", "connection synchronisation"},
	{"mcast-port", 0, WANTED, IPVS_SYNC, "mcast-port", "connection synchronisation"},
	{"mcast-ttl", 0, WANTED, IPVS_SYNC, "mcast-ttl", "connection synchronisation"},
	{"ipv6", '6', NONE, IPVS_IPV6, "ipv6", "firewall marks"},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static int try_help(void)
{
	return ipvs_refuse("Try `ipvsadm -h' or 'ipvsadm --help' for more information.");
}

/* "--start-daemon master" */
static bool has_argument(int command)
{
	return command == IPVS_START_DAEMON || command == IPVS_STOP_DAEMON;
}

/* popt's table from ours. */
static void make_table(struct poptOption *table)
{
	struct poptOption *o = table;

	for (int c = 0; c < IPVS_COMMANDS; c++) {
		if (!commands[c].name)
			continue;
		*o++ = (struct poptOption){.longName = commands[c].name,
					   .shortName = commands[c].letter,
					   .argInfo = has_argument(c) ? POPT_ARG_STRING
								      : POPT_ARG_NONE,
					   .val = COMMAND + c};
		if (commands[c].letter2)
			*o++ = (struct poptOption){.shortName = commands[c].letter2,
						   .val = COMMAND + c};
	}
	for (size_t i = 0; i < N_OPTIONS; i++)
		*o++ = (struct poptOption){
			.longName = options[i].name,
			.shortName = options[i].letter,
			.argInfo = options[i].argument == NONE ? POPT_ARG_NONE
				   : options[i].argument == WANTED
					   ? POPT_ARG_STRING
					   : POPT_ARG_STRING | POPT_ARGFLAG_OPTIONAL,
			.val = OPTION + (int)i,
		};
	*o = (struct poptOption)POPT_TABLEEND;
}

/* ---- reading it ---- */

const char *ipvs_option_said(unsigned int bit)
{
	size_t i = 0;

	while (i + 1 < N_OPTIONS && options[i].bit != bit)
		i++;
	return options[i].said;
}

static const struct ipvs_method *method_of(const char *option)
{
	static const char *const modes[][2] = {{"gatewaying", "dr"},
					       {"masquerading", "nat"},
					       {"ipip", "ipip"},
					       {"fullnat", "fullnat"}};
	size_t m = 0;

	while (strcmp(modes[m][0], option) != 0)
		m++;
	return ipvs_method_by_mode(modes[m][1]);
}

static int read_option(struct ipvs_request *request, size_t i, const char *text)
{
	if (options[i].bit & request->given)
		return IPVS_WRONG("multiple '%s' options specified", options[i].said);
	request->given |= options[i].bit;
	if (options[i].refused)
		return ipvs_refuse("Operation not supported: %s (%s)", options[i].refused,
				   options[i].said);
	if (options[i].bit == IPVS_METHOD)
		request->method = method_of(options[i].name);
	return ipvs_read_value(request, options[i].bit, options[i].letter, text);
}

/* The three numbers behind --set. */
static int read_timeouts(struct ipvs_request *request, poptContext context)
{
	int result = IPVS_OK;

	for (int i = 0; result == IPVS_OK && i < 3; i++)
		result = ipvs_read_timeout(poptGetArg(context), &request->timeout[i]);
	return result;
}

static int read_rest(struct ipvs_request *request, poptContext context)
{
	const char *extra;
	int c, result = IPVS_OK;

	while (result == IPVS_OK && (c = poptGetNextOpt(context)) >= 0) {
		char *text = poptGetOptArg(context);

		if (c < OPTION)
			result = IPVS_WRONG("invalid option `%s'",
					    poptBadOption(context, POPT_BADOPTION_NOALIAS));
		else
			result = read_option(request, (size_t)(c - OPTION), text);
		free(text);
	}
	if (result == IPVS_OK && c < -1)
		result = ipvs_refuse("%s: %s", poptBadOption(context, POPT_BADOPTION_NOALIAS),
				     poptStrerror(c));
	if (result == IPVS_OK && request->command == IPVS_SET)
		result = read_timeouts(request, context);
	if (result != IPVS_OK || request->command == IPVS_HELP || request->command == IPVS_VERSION)
		return result;
	extra = poptGetArg(context);
	if (extra)
		return IPVS_WRONG("unexpected argument %s", extra);
	ipvs_fill_in(request);
	result = ipvs_check_options(request, commands[request->command].said,
				    commands[request->command].wants,
				    commands[request->command].takes);
	return result == IPVS_OK ? ipvs_resolve(request) : result;
}

int ipvs_parse(int argc, char **argv, struct ipvs_request *request)
{
	struct poptOption table[IPVS_COMMANDS + N_OPTIONS + 2];
	poptContext context;
	int c, result;

	memset(request, 0, sizeof(*request));
	if (argc <= 1) {
		request->command = IPVS_LIST; /* ipvsadm alone */
		return IPVS_OK;
	}
	make_table(table);
	context = poptGetContext("ipvsadm", argc, (const char **)argv, table, 0);
	c = poptGetNextOpt(context);
	free(poptGetOptArg(context));
	if (c < COMMAND || c >= OPTION) {
		result = try_help();
	} else {
		request->command = (enum ipvs_command)(c - COMMAND);
		result = read_rest(request, context);
	}
	poptFreeContext(context);
	return result;
}

void ipvs_help(FILE *to)
{
	fputs(VERSION_LINE
	      "usage:\n"
	      "  ipvsadm -A|-E SERVICE [-s SCHEDULER] [-p [SECONDS] [-M NETMASK]] [-b FLAGS]\n"
	      "          [--laddr-pool NAME]                add or edit a virtual service\n"
	      "  ipvsadm -D SERVICE                         delete it\n"
	      "  ipvsadm -C                                 delete all\n"
	      "  ipvsadm -a|-e SERVICE -r SERVER [METHOD] [-w WEIGHT] [-x MOST] [-y LESS]\n"
	      "                                             add or edit a real server\n"
	      "  ipvsadm -d SERVICE -r SERVER               delete it\n"
	      "  ipvsadm -L|-l [SERVICE] [-n] [--exact] [--nosort]\n"
	      "          [--stats|--rate|--thresholds|--persistent-conn|--tun-info]\n"
	      "                                             list them\n"
	      "  ipvsadm -L -c [-n]                         list connections\n"
	      "  ipvsadm -L --timeout                       list timeouts\n"
	      "  ipvsadm --set TCP TCPFIN UDP               set timeouts; 0 leaves one as it is\n"
	      "  ipvsadm -S [-n]                            print the rules as commands\n"
	      "  ipvsadm -R                                 do such commands, all or none\n"
	      "  ipvsadm --add-laddr|--del-laddr SERVICE --laddr ADDRESS\n"
	      "  ipvsadm --get-laddr [SERVICE]              local addresses, of FullNAT\n"
	      "SERVICE is -t or -u HOST:PORT or [ADDRESS]:PORT; port 0, with -p: all ports.\n"
	      "METHOD is -g, -m, -i [--tun-type ipip|gre|gue [--tun-port PORT]] or --fullnat.\n"
	      "See sluice-ipvsadm(8) for how this differs from ipvsadm.\n",
	      to);
}
