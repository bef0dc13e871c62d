/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/eal.h>
#include <sluice/log.h>

#define DEFAULT_INSTANCE "sluice"
#define DEFAULT_DATABASE "/var/lib/sluice/sluice.db"
#define DEFAULT_NICE     (-10)

static void usage(FILE *to)
{
	fprintf(to,
		"usage: sluice ctrl [options]\n"
		"      --instance NAME        of the primary to join (" DEFAULT_INSTANCE ")\n"
		"      --runtime-dir DIR      the primary's (" SL_DEFAULT_RUNTIME_DIR ")\n"
		"      --database FILE        the configuration (" DEFAULT_DATABASE ")\n"
		"      --config FILE          who may, TCP with certificates, limits: see "
		"ctrl.yaml\n"
		"      --socket FILE          serve the API here (ctrl.sock in the runtime "
		"directory)\n"
		"      --keep-revisions N     of the configuration, to list and go back to (1000)\n"
		"      --keep-days N          nor those that are older (0: however old)\n"
		"      --keep-audit N         entries of the audit log (10000)\n"
		"      --nice N               -20 to 19; to answer while workers take every CPU "
		"(-10)\n"
		"      --log-level TYPE:LEVEL for example 'sluice.ctrl.*:debug'; may be repeated\n"
		"      --help\n"
		"Ends on SIGTERM and SIGINT, and with 1 when the primary has ended.\n");
}

static int wrong(const char *what, const char *why)
{
	fprintf(stderr, "sluice ctrl: '%s' %s\n", what, why);
	return -EINVAL;
}

#define KEEP_MAX 10000000

static int keep(const char *text, unsigned long least, uint32_t *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || text[strspn(text, "0123456789")] || n < least || n > KEEP_MAX)
		return wrong(text, least ? "is not in 1..10000000" : "is not in 0..10000000");
	*out = (uint32_t)n;
	return 0;
}

static int read_nice(const char *text, int *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*text || *end || n < -20 || n > 19)
		return wrong(text, "is not in -20..19");
	*out = (int)n;
	return 0;
}

int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"instance", required_argument, NULL, 'i'},
		{"runtime-dir", required_argument, NULL, 'r'},
		{"database", required_argument, NULL, 'd'},
		{"config", required_argument, NULL, 'c'},
		{"socket", required_argument, NULL, 's'},
		{"keep-revisions", required_argument, NULL, 'R'},
		{"keep-days", required_argument, NULL, 'D'},
		{"keep-audit", required_argument, NULL, 'A'},
		{"nice", required_argument, NULL, 'n'},
		{"log-level", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *socket = NULL;
	int c, n;

	*o = (struct options){
		.instance = DEFAULT_INSTANCE,
		.runtime_dir = SL_DEFAULT_RUNTIME_DIR,
		.database = DEFAULT_DATABASE,
		.nice = DEFAULT_NICE,
		.keep = {STORE_KEEP_REVISIONS, STORE_KEEP_DAYS, STORE_KEEP_AUDIT},
	};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'i': o->instance = optarg; break;
		case 'r': o->runtime_dir = optarg; break;
		case 'd': o->database = optarg; break;
		case 'c': o->config = optarg; break;
		case 's': socket = optarg; break;
		case 'R':
			if (keep(optarg, 1, &o->keep.revisions))
				return -EINVAL;
			break;
		case 'D':
			if (keep(optarg, 0, &o->keep.days))
				return -EINVAL;
			break;
		case 'A':
			if (keep(optarg, 1, &o->keep.audit))
				return -EINVAL;
			break;
		case 'n':
			if (read_nice(optarg, &o->nice))
				return -EINVAL;
			break;
		case 'l':
			if (sl_log_set_level(optarg))
				break;
			return wrong(optarg, SL_LOG_LEVEL_WRONG);
		case 'h': usage(stdout); return 1;
		default: usage(stderr); return -EINVAL;
		}
	}
	if (optind < argc)
		return wrong(argv[optind], "is no option");
	n = socket ? snprintf(o->socket, sizeof(o->socket), "%s", socket)
		   : snprintf(o->socket, sizeof(o->socket), "%s/ctrl.sock", o->runtime_dir);
	return n < (int)sizeof(o->socket) ? 0
					  : wrong(socket ? socket : o->runtime_dir, "is too long");
}
