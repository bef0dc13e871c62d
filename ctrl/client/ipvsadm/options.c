/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line. popt reads it, as it does for ipvsadm, so that what is taken and the
 * messages about what is not are the same; two tables say which options a command wants and takes.
 */
#include <arpa/inet.h>
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
#define FORWARDING                                                                       \
	(IPVS_METHOD | IPVS_WEIGHT | IPVS_UTHRESHOLD | IPVS_LTHRESHOLD | IPVS_TUN_TYPE | \
	 IPVS_TUN_PORT | IPVS_TUN_CSUM)

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
	{"tun-info", 0, NONE, IPVS_TUN_INFO, "tun-info", "tunnels' settings"},
	{"persistent", 'p', MAYBE, IPVS_PERSISTENT, "persistent", "persistence"},
	{"netmask", 'M', WANTED, IPVS_NETMASK, "netmask", "persistence"},
	{"pe", 0, WANTED, IPVS_PE, "pe", "persistence engines"},
	{"ops", 'o', NONE, IPVS_OPS, "ops", "one-packet scheduling"},
	{"sched-flags", 'b', WANTED, IPVS_SCHED_FLAGS, "sched-flags", NULL},
	{"u-threshold", 'x', WANTED, IPVS_UTHRESHOLD, "u-threshold", NULL},
	{"l-threshold", 'y', WANTED, IPVS_LTHRESHOLD, "l-threshold", NULL},
	{"tun-type", 0, WANTED, IPVS_TUN_TYPE, "tun-type", "tunnels' settings"},
	{"tun-port", 0, WANTED, IPVS_TUN_PORT, "tun-port", "tunnels' settings"},
	{"tun-nocsum", 0, NONE, IPVS_TUN_CSUM, "tun-nocsum", "tunnels' settings"},
	{"tun-csum", 0, NONE, IPVS_TUN_CSUM, "tun-csum", "tunnels' settings"},
	{"tun-remcsum", 0, NONE, IPVS_TUN_CSUM, "tun-remcsum", "tunnels' settings"},
	{"syncid", 0, WANTED, IPVS_SYNC, "syncid", "connection synchronisation"},
	{"sync-maxlen", 0, WANTED, IPVS_SYNC, "sync-maxlen", "connection synchronisation"},
	{"mcast-interface", 0, WANTED, IPVS_SYNC, "mcast-interface", "connection synchronisation"},
	{"mcast-group", 0, WANTED, IPVS_SYNC, "mcast-group", "connection synchronisation"},
	{"mcast-port", 0, WANTED, IPVS_SYNC, "mcast-port", "connection synchronisation"},
	{"mcast-ttl", 0, WANTED, IPVS_SYNC, "mcast-ttl", "connection synchronisation"},
	{"ipv6", '6', NONE, IPVS_IPV6, "ipv6", "firewall marks"},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static const char *const scheduler_flags[] = {"flag-1",  "flag-2",      "flag-3",  "sh-fallback",
					      "sh-port", "mh-fallback", "mh-port", NULL};

/* Wrong usage: the sentence, and ipvsadm's exit code. */
#define USAGE(...) (ipvs_refuse(__VA_ARGS__), IPVS_USAGE)

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

/* ---- what options mean ---- */

static int read_service(struct ipvs_request *request, char letter, const char *text)
{
	request->service.protocol = letter == 'u' ? "PROTOCOL_UDP" : "PROTOCOL_TCP";
	if (!ipvs_read_endpoint(text, request->service.protocol, &request->service))
		return USAGE("illegal virtual server address[:port] specified");
	return IPVS_OK;
}

/* The protocol of a server's port is the service's, which may stand behind it. */
static int read_server(struct ipvs_request *request, const char *text)
{
	const char *protocol = request->service.protocol;

	if (!ipvs_read_endpoint(text, protocol ? protocol : "PROTOCOL_TCP", &request->server))
		return USAGE("illegal real server address[:port] specified");
	return IPVS_OK;
}

static int read_weight(struct ipvs_request *request, const char *text)
{
	char *end;

	request->weight = strtol(text, &end, 10);
	if (end == text || *end || request->weight < 0 || request->weight > 0x7fffffff)
		return USAGE("illegal weight specified");
	return IPVS_OK;
}

static int read_threshold(const char *text, const char *said, unsigned int *threshold)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end || number < 0 || number > 0x7fffffff)
		return USAGE("illegal %s specified", said);
	*threshold = (unsigned int)number;
	return IPVS_OK;
}

static int read_laddr(struct ipvs_request *request, const char *text)
{
	struct ipvs_endpoint endpoint;

	if (!ipvs_read_endpoint(text, "PROTOCOL_TCP", &endpoint) || endpoint.port)
		return USAGE("illegal local address specified");
	snprintf(request->laddr, sizeof(request->laddr), "%s", endpoint.address);
	return IPVS_OK;
}

static int read_option(struct ipvs_request *request, size_t i, const char *text)
{
	static const char *const modes[][2] = {{"gatewaying", "dr"},
					       {"masquerading", "nat"},
					       {"ipip", "tunnel"},
					       {"fullnat", "fullnat"}};

	if (options[i].bit & request->given)
		return USAGE("multiple '%s' options specified", options[i].said);
	request->given |= options[i].bit;
	if (options[i].refused)
		return ipvs_refuse("Operation not supported: %s (%s)", options[i].refused,
				   options[i].said);
	switch (options[i].bit) {
	case IPVS_SERVICE: return read_service(request, options[i].letter, text);
	case IPVS_SERVER: return read_server(request, text);
	case IPVS_WEIGHT: return read_weight(request, text);
	case IPVS_LADDR: return read_laddr(request, text);
	case IPVS_UTHRESHOLD: return read_threshold(text, "u_threshold", &request->upper);
	case IPVS_LTHRESHOLD: return read_threshold(text, "l_threshold", &request->lower);
	case IPVS_SCHED_FLAGS:
		snprintf(request->flags, sizeof(request->flags), "%s", text);
		return IPVS_OK;
	case IPVS_LADDR_POOL:
		snprintf(request->laddr_pool, sizeof(request->laddr_pool), "%s", text);
		return IPVS_OK;
	case IPVS_SCHEDULER:
		snprintf(request->scheduler, sizeof(request->scheduler), "%s", text);
		return IPVS_OK;
	case IPVS_METHOD:
		for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++)
			if (strcmp(modes[m][0], options[i].name) == 0)
				request->method = ipvs_method_by_mode(modes[m][1]);
		return IPVS_OK;
	default: return IPVS_OK;
	}
}

/* ---- what fits together ---- */

static const char *said(unsigned int bit)
{
	size_t i = 0;

	while (i + 1 < N_OPTIONS && options[i].bit != bit)
		i++;
	return options[i].said;
}

static int check_options(const struct ipvs_request *request)
{
	unsigned int wants = commands[request->command].wants;
	unsigned int takes = wants | commands[request->command].takes;

	for (unsigned int bit = 1; bit; bit <<= 1) {
		if (request->given & bit & ~takes)
			return USAGE("Illegal '%s' option with the '%s' command", said(bit),
				     commands[request->command].said);
		if (wants & bit & ~request->given)
			return USAGE("You need to supply the '%s' option for the '%s' command",
				     said(bit), commands[request->command].said);
	}
	if ((wants & IPVS_SERVICE) && !request->service.port)
		return USAGE("Zero port specified for non-persistent service");
	return IPVS_OK;
}

static int check_listing(unsigned int given)
{
	/* Each pair, the first found is named. */
	static const unsigned int conflicts[][2] = {{IPVS_SERVICE, IPVS_CONNECTION},
						    {IPVS_TIMEOUT, IPVS_CONNECTION},
						    {IPVS_TIMEOUT, IPVS_SERVICE}};
	unsigned int table =
		given & (IPVS_STATS | IPVS_RATE | IPVS_THRESHOLDS | IPVS_PERSISTENT_CONN);

	for (size_t i = 0; i < sizeof(conflicts) / sizeof(conflicts[0]); i++)
		if ((given & conflicts[i][0]) && (given & conflicts[i][1]))
			return USAGE("The option '%s' conflicts with the '%s' option in the 'list' "
				     "command",
				     said(conflicts[i][0]), said(conflicts[i][1]));
	if (((given & IPVS_CONNECTION) && (table & (IPVS_STATS | IPVS_RATE))) ||
	    ((given & IPVS_TIMEOUT) && table))
		return USAGE("options conflicts in the list command");
	return IPVS_OK;
}

/* The three numbers behind --set. */
static int read_timeouts(struct ipvs_request *request, poptContext context)
{
	for (int i = 0; i < 3; i++) {
		const char *text = poptGetArg(context);
		char *end;
		long number;

		if (!text)
			return USAGE("--set option requires 3 timeout values");
		number = strtol(text, &end, 10);
		if (end == text || *end || number < 0 || number > 0x7fffffff)
			return USAGE("invalid timeout value `%s' specified", text);
		request->timeout[i] = (unsigned int)number;
	}
	return IPVS_OK;
}

/* ipvsadm's defaults. */
static void fill_in(struct ipvs_request *request)
{
	if (!(request->given & IPVS_SCHEDULER))
		strcpy(request->scheduler, "wlc");
	if (!(request->given & IPVS_WEIGHT))
		request->weight = 1;
	if (!(request->given & IPVS_METHOD))
		request->method = ipvs_methods;
	if (!request->server.port || request->method->keeps_port)
		request->server.port = request->service.port;
}

/* "sh-port,flag-2", of the scheduler's own: the ports take part in the hash. */
static int read_flags(struct ipvs_request *request)
{
	char words[sizeof(request->flags)], own[sizeof(request->scheduler) + 8], *rest, *word;

	strcpy(words, request->flags);
	snprintf(own, sizeof(own), "%s-port", request->scheduler);
	for (word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		size_t i = 0;

		while (scheduler_flags[i] && strcmp(scheduler_flags[i], word) != 0)
			i++;
		if (!scheduler_flags[i])
			return USAGE("invalid scheduler flag `%s'", word);
		if (word[2] == '-' && strncmp(word, own, 3) != 0)
			return USAGE("incompatible scheduler flag `%s'", word);
		if (strcmp(word, own) != 0)
			return ipvs_refuse("Operation not supported: scheduler flags (%s)", word);
		request->by_port = true;
	}
	return IPVS_OK;
}

static int read_rest(struct ipvs_request *request, poptContext context)
{
	const char *extra;
	int c, result = IPVS_OK;

	while (result == IPVS_OK && (c = poptGetNextOpt(context)) >= 0) {
		char *text = poptGetOptArg(context);

		if (c < OPTION)
			result = USAGE("invalid option `%s'",
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
		return USAGE("unexpected argument %s", extra);
	result = check_options(request);
	return result == IPVS_OK ? check_listing(request->given) : result;
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
		fill_in(request);
		if (result == IPVS_OK)
			result = read_flags(request);
	}
	poptFreeContext(context);
	return result;
}

void ipvs_help(FILE *to)
{
	fputs(VERSION_LINE
	      "usage:\n"
	      "  ipvsadm -A|-E SERVICE [-s SCHEDULER] [-b FLAGS] [--laddr-pool NAME]\n"
	      "                                             add or edit a virtual service\n"
	      "  ipvsadm -D SERVICE                         delete it\n"
	      "  ipvsadm -C                                 delete all\n"
	      "  ipvsadm -a|-e SERVICE -r SERVER [METHOD] [-w WEIGHT] [-x MOST] [-y LESS]\n"
	      "                                             add or edit a real server\n"
	      "  ipvsadm -d SERVICE -r SERVER               delete it\n"
	      "  ipvsadm -L|-l [SERVICE] [-n] [--stats|--rate|--thresholds|--persistent-conn]\n"
	      "          [--exact] [--nosort]               list them\n"
	      "  ipvsadm -L -c [-n]                         list connections\n"
	      "  ipvsadm -L --timeout                       list timeouts\n"
	      "  ipvsadm --set TCP TCPFIN UDP               set timeouts; 0 leaves one as it is\n"
	      "  ipvsadm -S [-n]                            print the rules as commands\n"
	      "  ipvsadm -R                                 do such commands, all or none\n"
	      "  ipvsadm --add-laddr|--del-laddr SERVICE --laddr ADDRESS\n"
	      "  ipvsadm --get-laddr [SERVICE]              local addresses, of FullNAT\n"
	      "SERVICE is -t or -u HOST:PORT, METHOD -g, -m, -i or --fullnat.\n"
	      "See sluice-ipvsadm(8) for how this differs from ipvsadm.\n",
	      to);
}
