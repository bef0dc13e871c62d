/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of the configuration on disk: a store in a directory of its own, and its file. */
#ifndef TESTS_UNIT_STORE_BED_H
#define TESTS_UNIT_STORE_BED_H

#include "ctrl/store.h"
#include "tests/unit/lib/ctrl_bed.h"

/* One a program; the store is not open before store_bed_open. */
struct store_bed {
	struct sl_root *root;
	struct model *model;
	struct store *store; /* NULL: not open */
	struct problem why;
	char directory[64], path[96], copy[104];
};
extern struct store_bed store_bed;

/* For each test: an empty directory, which goes with all that is in it. */
int store_bed_set_up(void **state);
int store_bed_tear_down(void **state);

/* Open the file, or make it. What is wrong is in `why`; must: ends the test then. */
void store_bed_open(void);
void store_bed_must_open(void);
void store_bed_close(void);

/* Commit what a configuration changes, as the next revision; the words are *with's. */
int store_bed_commit(const char *json, const struct store_revision *with);

/* One number from a file; carry out a statement on it. */
long long store_bed_ask(const char *file, const char *sql);
void store_bed_edit(const char *file, const char *sql);

#endif
