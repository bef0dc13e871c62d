/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include <sluice/eal.h>
#include <sluice/log.h>

#define DEFAULT_INSTANCE "sluice"
#define DEFAULT_DATABASE "/var/lib/sluice/sluice.db"

static void usage(FILE *to)
{
	fprintf(to,
		"usage: sluice ctrl [options]\n"
		"      --instance NAME        of the primary to join (" DEFAULT_INSTANCE ")\n"
		"      --runtime-dir DIR      the primary's (" SL_DEFAULT_RUNTIME_DIR ")\n"
		"      --database FILE        the configuration (" DEFAULT_DATABASE ")\n"
		"      --socket FILE          serve the API here (ctrl.sock in the runtime "
		"directory)\n"
		"      --log-level TYPE:LEVEL for example 'sluice.ctrl.*:debug'; may be repeated\n"
		"      --help\n"
		"Ends on SIGTERM and SIGINT, and with 1 when the primary has ended.\n");
}

static int wrong(const char *what, const char *why)
{
	fprintf(stderr, "sluice ctrl: '%s' %s\n", what, why);
	return -EINVAL;
}

int options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"instance", required_argument, NULL, 'i'},
		{"runtime-dir", required_argument, NULL, 'r'},
		{"database", required_argument, NULL, 'd'},
		{"socket", required_argument, NULL, 's'},
		{"log-level", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *socket = NULL;
	int c, n;

	*o = (struct options){DEFAULT_INSTANCE, SL_DEFAULT_RUNTIME_DIR, DEFAULT_DATABASE, ""};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'i': o->instance = optarg; break;
		case 'r': o->runtime_dir = optarg; break;
		case 'd': o->database = optarg; break;
		case 's': socket = optarg; break;
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
