/* SPDX-License-Identifier: BSD-3-Clause */
/* Does a database say what was written to it? Beyond what sqlite itself can tell. */
#ifndef CTRL_STORE_CHECK_H
#define CTRL_STORE_CHECK_H

#include "ctrl/store_write.h"

/*
 * The resources against the content hash of the last revision, each revision's changes and
 * words against its hashes. Fills db->content and db->chain. PROBLEM_DATA_LOSS: they differ.
 */
int store_check(struct store_db *db, struct problem *why);

#endif
