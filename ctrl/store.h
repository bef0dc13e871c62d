/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration on disk: sqlite, one row a resource, and a log of revisions whose entries
 * hold each changed resource before and after, so that one changed weight among a hundred
 * thousand backends writes a few small rows. A revision is one transaction.
 *
 * A file that is damaged is set aside as FILE.damaged-TIME and an empty one takes its place: what
 * that means for the workers is apply's business (ctrl/apply.c). A file of a newer
 * schema is left alone and refused.
 */
#ifndef CTRL_STORE_H
#define CTRL_STORE_H

#include <stdint.h>

#include "ctrl/change.h"
#include "ctrl/model.h"

struct store;

#define STORE_SCHEMA 1 /* number of the newest migration */

/*
 * Open or create, and read the configuration into the model, which is made for `root`. NULL
 * with a sentence in *why: it can't be opened, or is not ours to touch.
 */
struct store *store_open(const char *path, const struct sl_root *root, struct model **model,
			 struct problem *why);
void store_close(struct store *store);

/* Where a damaged file was moved at opening; NULL: it was fine. */
const char *store_set_aside(const struct store *store);

struct store_revision {
	uint64_t number; /* greater than any before */
	const char *author;
	const char *comment;
	const struct change_set *changes;
};

/* Write a revision durably: all, or nothing with *why. The one call for another thread. */
int store_commit(struct store *store, const struct store_revision *revision, struct problem *why);

#endif
