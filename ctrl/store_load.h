/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the stored configuration into an empty model. */
#ifndef CTRL_STORE_LOAD_H
#define CTRL_STORE_LOAD_H

#include <sqlite3.h>

#include "ctrl/model.h"

/*
 * PROBLEM_DATA_LOSS: what is stored is not a configuration; PROBLEM_RESOURCE_EXHAUSTED: the
 * boot configuration has become too small for it.
 */
int store_load(sqlite3 *db, struct model *model, struct problem *why);

#endif
