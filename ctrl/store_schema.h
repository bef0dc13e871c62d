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

#endif
