/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program `sluice`: one binary with a role a process, so that every process of an
 * instance links the same libraries in the same order (see docs/architecture.md).
 */
#include <sluice/log.h>
#include <sluice/role.h>

#include <stdio.h>
#include <string.h>

struct role {
	const char *name;
	const char *text;
	int (*main)(int argc, char **argv);
};

static const struct role roles[] = {
	{"primary", "own the ports and the shared memory, start the workers", sl_primary_main},
	{"worker", "forward packets; started by the primary", sl_worker_main},
	{"ctrl", "keep the configuration, serve the API", sl_ctrl_main},
};

static void usage(FILE *to)
{
	fprintf(to, "usage: sluice ROLE [options]\n"
		    "       sluice --version | --help\n"
		    "roles:\n");
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		fprintf(to, "  %-8s %s\n", roles[i].name, roles[i].text);
	fprintf(to, "`sluice ROLE --help` lists a role's options.\n");
}

int main(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : "";

	if (!strcmp(first, "--version")) {
		puts("sluice " SL_VERSION);
		return 0;
	}
	if (!strcmp(first, "--help")) {
		usage(stdout);
		return 0;
	}
	sl_log_open();
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(first, roles[i].name))
			return roles[i].main(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "sluice: no role is called '%s'\n", first);
	usage(stderr);
	return 2;
}
