/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of `sluice ctrl`. */
#ifndef CTRL_OPTIONS_H
#define CTRL_OPTIONS_H

#include <limits.h>

#include "ctrl/store.h"

struct options {
	const char *instance;
	const char *runtime_dir;
	const char *database;
	struct store_retention keep;
	int nice;           /* setpriority(2) */
	const char *config; /* NULL: none */
	char socket[PATH_MAX];
};

/* 0: go on; 1: help was asked for and given; -EINVAL: wrong usage, said. */
int options_parse(int argc, char **argv, struct options *options);

#endif
