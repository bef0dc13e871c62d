/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the store back: revisions, what they held, the audit log. Each function is one
 * reading transaction on a connection of the caller's thread: the store's own
 * (store_database) or one that only reads.
 */
#ifndef CTRL_STORE_READ_H
#define CTRL_STORE_READ_H

#include <sqlite3.h>

#include "ctrl/store.h"

/* A connection that only reads, for another thread. NULL with *why. */
sqlite3 *store_reader_open(const char *path, struct problem *why);

/* What is handed over lives during the call. Not 0: stop, and return that. */
typedef int (*store_resource_fn)(void *arg, enum resource_kind kind, const char *name,
				 const void *message, size_t len);

/*
 * All resources as they were after a revision, sorted by kind and name; 0 is the last one, whose
 * number is in *revision afterwards. PROBLEM_NOT_FOUND: never was, or is kept no longer;
 * PROBLEM_DATA_LOSS: what would be read back is not what was applied.
 */
int store_read_config(sqlite3 *db, uint64_t *revision, store_resource_fn resource, void *arg,
		      struct problem *why);

struct store_revision_info {
	uint64_t number;
	uint64_t time; /* seconds since 1970 */
	const char *author;
	const char *source;
	const char *method;
	const char *comment;
	uint32_t created;
	uint32_t updated;
	uint32_t deleted;
	uint64_t deadline; /* until which it is to be confirmed; 0: it need not be */
};

typedef int (*store_revision_fn)(void *arg, const struct store_revision_info *info);

/* Revisions below `before` (0: all), the newest first, at most `limit`. */
int store_list_revisions(sqlite3 *db, uint64_t before, size_t limit, store_revision_fn revision,
			 void *arg, struct problem *why);

/* Each that is given (not NULL, not 0) has to fit. */
struct store_audit_filter {
	const char *caller;
	const char *method;
	const char *resource; /* begins so */
	uint64_t revision;
	uint64_t since, until; /* milliseconds since 1970 */
	bool refused;          /* only what failed */
	uint64_t before;       /* ids below */
};

typedef int (*store_audit_fn)(void *arg, const struct store_audit *entry);

/* The newest first. */
int store_list_audit(sqlite3 *db, const struct store_audit_filter *filter, size_t limit,
		     store_audit_fn entry, void *arg, struct problem *why);

#endif
