/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration on disk: sqlite, one row a resource, and a log of revisions whose entries
 * hold each changed resource before and after, so that one changed weight among a hundred
 * thousand backends writes a few small rows. A revision is one transaction, and durable when
 * store_commit() returns. Beside it: the audit log, answers to requests that may be repeated,
 * and the revision that waits for its confirmation.
 *
 * Integrity. At opening sqlite looks through the file (quick_check), the resources must add
 * up to the content hash of the last revision, and each revision's changes to the difference
 * between its hash and its predecessor's, so that what can be read back is what was applied.
 *
 * The copy. Every transaction is carried out again on FILE.copy, without waiting for that
 * file's fsync. A file that is damaged is set aside as FILE.damaged-TIME and the copy takes its
 * place: nothing is lost, or after a power failure that also damages FILE, the last seconds. When
 * the copy is unusable as well, an empty store takes its place: what that means for the
 * workers is apply's business (ctrl/transaction.c). A file of a newer schema is left alone and
 * refused.
 */
#ifndef CTRL_STORE_H
#define CTRL_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/change.h"
#include "ctrl/model.h"

struct sqlite3;
struct store;

#define STORE_SCHEMA 2 /* number of the newest migration */

/*
 * Open or create, and read the configuration into the model, which is made for `root`. NULL
 * with a sentence in *why: it can't be opened, or is not ours to touch.
 */
struct store *store_open(const char *path, const struct sl_root *root, struct model **model,
			 struct problem *why);
void store_close(struct store *store);

/* Where a damaged file was moved at opening; NULL: it was fine. */
const char *store_set_aside(const struct store *store);

/* The copy took the place of a file that was damaged or missing. */
bool store_from_copy(const struct store *store);

const char *store_path(const struct store *store);

/* What is kept: at most so many revisions, and days (0: any number); audit entries. */
struct store_retention {
	uint32_t revisions;
	uint32_t days;
	uint32_t audit;
};

#define STORE_KEEP_REVISIONS 1000
#define STORE_KEEP_DAYS      0
#define STORE_KEEP_AUDIT     10000

void store_set_retention(struct store *store, const struct store_retention *retention);

/* A revision that goes back to `base` when nobody confirms it. revision 0: none. */
struct store_pending {
	uint64_t revision;
	uint64_t base;
	uint64_t deadline; /* seconds since 1970 */
};

/* As it is in the file at opening, and after each commit. */
const struct store_pending *store_pending(const struct store *store);

/* ---- for the thread that writes (ctrl/background.h): the only one to call these ---- */

struct store_revision {
	uint64_t number; /* greater than any before; 0: no resource changes, see the rest */
	const char *author;
	const char *source;   /* where from */
	const char *method;   /* NULL: no audit entry is written */
	const char *resource; /* what it was about, for the audit log */
	const char *comment;
	const struct change_set *changes;
	/* Becomes the pending one when its revision is not 0; `settles`: the pending one is no
	 * more. */
	struct store_pending pending;
	bool settles;
	/* Its answer, when it can be repeated: request_id is not NULL. */
	const char *request_id;
	uint64_t request_digest;
	const uint8_t *response;
	size_t response_len;
};

/* Write a revision durably: all, or nothing with *why. */
int store_commit(struct store *store, const struct store_revision *revision, struct problem *why);

struct store_audit {
	uint64_t id;   /* when read */
	uint64_t time; /* milliseconds since 1970 */
	const char *caller;
	const char *source;
	const char *method;
	const char *resource;
	uint64_t revision; /* 0: none came of it */
	enum problem_code code;
	const char *message;
};

/* Write audit entries that belong to no revision. What goes wrong is logged. */
void store_audit(struct store *store, const struct store_audit *entries, size_t n);

/*
 * The answer kept for a request id, to be freed: 1 and the response; 0 when there is none;
 * -EINVAL with *why when it was another request's.
 */
int store_find_request(struct store *store, const char *id, uint64_t digest, uint8_t **response,
		       size_t *len, struct problem *why);

/* Remove what is kept no longer, a bounded part of it: true when there is more. */
bool store_tidy(struct store *store);

/* The open database, for store_read.h. */
struct sqlite3 *store_database(struct store *store);

#endif
