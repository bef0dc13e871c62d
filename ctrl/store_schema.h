/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening the database file and bringing its schema up to date. */
#ifndef CTRL_STORE_SCHEMA_H
#define CTRL_STORE_SCHEMA_H

#include <sqlite3.h>

#include "ctrl/problem.h"

/*
 * Open or create the file, checked and migrated. PROBLEM_DATA_LOSS: it is damaged;
 * PROBLEM_FAILED_PRECONDITION: a newer program's, not touched; else it can't be opened.
 */
int store_schema_open(const char *path, sqlite3 **db, struct problem *why);

/* The same for a database that is open already and called so in sentences. */
int store_schema_adopt(sqlite3 *db, const char *name, struct problem *why);

#endif
