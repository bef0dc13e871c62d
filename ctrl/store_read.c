/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/store_read.h"

#include <errno.h>
#include <inttypes.h>

/*
 * A revision is read back from its successors: what they changed was before as the first of
 * them found it, the rest is as it is now. (With min() alone sqlite takes the other columns of a
 * group from the row that holds it.)
 */
#define UNDO                                                                           \
	"WITH undo AS (SELECT kind, name, before, min(revision) FROM revision_change " \
	"WHERE revision > ?1 GROUP BY kind, name) "

static int cannot_read(sqlite3 *db, struct problem *why)
{
	return problem_set(why, PROBLEM_INTERNAL, "the configuration database: %s",
			   sqlite3_errmsg(db));
}

sqlite3 *store_reader_open(const char *path, struct problem *why)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(db, 2000);
		return db;
	}
	problem_set(why, PROBLEM_UNAVAILABLE, "%s: %s", path,
		    db ? sqlite3_errmsg(db) : "out of memory");
	sqlite3_close(db);
	return NULL;
}

/* A statement; the rest of a function runs when it is there. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *sql, struct problem *why)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		cannot_read(db, why);
	return s;
}

static const char *text(sqlite3_stmt *s, int column)
{
	return (const char *)sqlite3_column_text(s, column) ?: "";
}

static uint64_t number(sqlite3_stmt *s, int column)
{
	return (uint64_t)sqlite3_column_int64(s, column);
}

/* Rows to a caller: SQLITE_DONE, an error of sqlite, or what the caller said in *rc. */
typedef int (*row_fn)(sqlite3_stmt *s, void *arg);

static int each(sqlite3_stmt *s, row_fn row, void *arg, struct problem *why)
{
	int code = SQLITE_DONE, rc = 0;

	while (!rc && (code = sqlite3_step(s)) == SQLITE_ROW)
		rc = row(s, arg);
	if (!rc && code != SQLITE_DONE)
		rc = cannot_read(sqlite3_db_handle(s), why);
	sqlite3_finalize(s);
	return rc;
}

/* ---- a revision's resources ---- */

struct reading {
	store_resource_fn resource;
	void *arg;
	uint64_t content;
};

static int on_resource(sqlite3_stmt *s, void *arg)
{
	struct reading *r = arg;
	int kind = sqlite3_column_int(s, 0);
	const void *message = sqlite3_column_blob(s, 2);
	size_t len = (size_t)sqlite3_column_bytes(s, 2);

	r->content += resource_hash((enum resource_kind)kind, text(s, 1), message, len);
	return r->resource(r->arg, (enum resource_kind)kind, text(s, 1), message, len);
}

struct expected {
	uint64_t revision;
	uint64_t content;
	bool known;
};

/* *revision 0: the last one, or none at all. */
static int find_revision(sqlite3 *db, uint64_t *revision, struct expected *expected,
			 struct problem *why)
{
	sqlite3_stmt *s = prepare(db,
				  "SELECT number, content FROM revision WHERE ?1 IN (0, number) "
				  "ORDER BY number DESC LIMIT 1",
				  why);
	int code;

	if (!s)
		return -EINVAL;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)*revision);
	code = sqlite3_step(s);
	*expected = (struct expected){0};
	if (code == SQLITE_ROW)
		*expected = (struct expected){number(s, 0), number(s, 1),
					      sqlite3_column_type(s, 1) != SQLITE_NULL};
	sqlite3_finalize(s);
	if (code == SQLITE_DONE && *revision)
		return problem_set(why, PROBLEM_NOT_FOUND,
				   "revision %" PRIu64 ": is not kept, or never was", *revision);
	*revision = expected->revision;
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : cannot_read(db, why);
}

static int read_config(sqlite3 *db, uint64_t *revision, struct reading *reading,
		       struct problem *why)
{
	struct expected expected;
	sqlite3_stmt *s;
	int rc = find_revision(db, revision, &expected, why);

	if (rc)
		return rc;
	s = prepare(db,
		    UNDO "SELECT kind, name, before FROM undo WHERE before NOT NULL "
			 "UNION ALL SELECT kind, name, message FROM resource "
			 "WHERE (kind, name) NOT IN (SELECT kind, name FROM undo) "
			 "ORDER BY 1, 2",
		    why);
	if (!s)
		return -EINVAL;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)*revision);
	rc = each(s, on_resource, reading, why);
	if (!rc && expected.known && expected.content != reading->content)
		return problem_set(why, PROBLEM_DATA_LOSS,
				   "revision %" PRIu64 ": what is stored is not what was applied",
				   *revision);
	return rc;
}

int store_read_config(sqlite3 *db, uint64_t *revision, store_resource_fn resource, void *arg,
		      struct problem *why)
{
	struct reading reading = {resource, arg, 0};
	int rc;

	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return cannot_read(db, why);
	rc = read_config(db, revision, &reading, why);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	return rc;
}

/* ---- lists ---- */

struct listing {
	union {
		store_revision_fn revision;
		store_audit_fn entry;
	};
	void *arg;
};

static int on_revision(sqlite3_stmt *s, void *arg)
{
	const struct listing *l = arg;
	const struct store_revision_info info = {
		.number = number(s, 0),
		.time = number(s, 1),
		.author = text(s, 2),
		.source = text(s, 3),
		.method = text(s, 4),
		.comment = text(s, 5),
		.created = (uint32_t)number(s, 6),
		.updated = (uint32_t)number(s, 7),
		.deleted = (uint32_t)number(s, 8),
		.deadline = number(s, 9),
	};

	return l->revision(l->arg, &info);
}

int store_list_revisions(sqlite3 *db, uint64_t before, size_t limit, store_revision_fn revision,
			 void *arg, struct problem *why)
{
	struct listing listing = {.revision = revision, .arg = arg};
	sqlite3_stmt *s = prepare(db,
				  "SELECT number, time, author, source, method, comment, created, "
				  "updated, deleted, "
				  "(SELECT deadline FROM pending WHERE revision = number) "
				  "FROM revision WHERE ?1 = 0 OR number < ?1 "
				  "ORDER BY number DESC LIMIT ?2",
				  why);

	if (!s)
		return -EINVAL;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)before);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)limit);
	return each(s, on_revision, &listing, why);
}

static int on_entry(sqlite3_stmt *s, void *arg)
{
	const struct listing *l = arg;
	const struct store_audit entry = {
		.id = number(s, 0),
		.time = number(s, 1),
		.caller = text(s, 2),
		.source = text(s, 3),
		.method = text(s, 4),
		.resource = text(s, 5),
		.revision = number(s, 6),
		.code = (enum problem_code)sqlite3_column_int(s, 7),
		.message = text(s, 8),
	};

	return l->entry(l->arg, &entry);
}

int store_list_audit(sqlite3 *db, const struct store_audit_filter *f, size_t limit,
		     store_audit_fn entry, void *arg, struct problem *why)
{
	struct listing listing = {.entry = entry, .arg = arg};
	sqlite3_stmt *s = prepare(
		db,
		"SELECT id, time, caller, source, method, resource, revision, code, message "
		"FROM audit WHERE (?1 = 0 OR id < ?1) AND (?2 = '' OR caller = ?2) AND "
		"(?3 = '' OR method = ?3) AND substr(resource, 1, length(?4)) = ?4 AND "
		"(?5 = 0 OR revision = ?5) AND time >= ?6 AND (?7 = 0 OR time < ?7) AND "
		"(?8 = 0 OR code <> 0) ORDER BY id DESC LIMIT ?9",
		why);

	if (!s)
		return -EINVAL;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)f->before);
	sqlite3_bind_text(s, 2, f->caller ?: "", -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, f->method ?: "", -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, f->resource ?: "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 5, (sqlite3_int64)f->revision);
	sqlite3_bind_int64(s, 6, (sqlite3_int64)f->since);
	sqlite3_bind_int64(s, 7, (sqlite3_int64)f->until);
	sqlite3_bind_int(s, 8, f->refused);
	sqlite3_bind_int64(s, 9, (sqlite3_int64)limit);
	return each(s, on_entry, &listing, why);
}
