/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/store_schema.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/store.h"

/*
 * Migration i takes user_version from i to i + 1. Never change one that was released: append.
 *
 * resource.kind and identity.class are enum resource_kind and enum ids_class. An identity is a
 * stable id with its last generation, and its owner, or its last one when it is not used.
 *
 * Times are seconds since 1970, of the audit log milliseconds. revision.content is the sum of
 * resource_hash() over the rows of `resource` after it, revision.chain a hash over the row and its
 * predecessor's chain (store_write.c); NULL in what an older program wrote.
 */
static const char *const migrations[STORE_SCHEMA] = {
	"CREATE TABLE resource ("
	" kind INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" message BLOB NOT NULL,"
	" revision INTEGER NOT NULL,"
	" PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE identity ("
	" class INTEGER NOT NULL,"
	" id INTEGER NOT NULL,"
	" generation INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" used INTEGER NOT NULL CHECK (used IN (0, 1)),"
	" PRIMARY KEY (class, id)) STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX identity_owner ON identity (class, name) WHERE used = 1;"
	"CREATE TABLE revision ("
	" number INTEGER PRIMARY KEY,"
	" time INTEGER NOT NULL,"
	" author TEXT NOT NULL,"
	" comment TEXT NOT NULL) STRICT;"
	"CREATE TABLE revision_change ("
	" revision INTEGER NOT NULL REFERENCES revision (number) ON DELETE CASCADE,"
	" kind INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" before BLOB,"
	" after BLOB,"
	" PRIMARY KEY (revision, kind, name)) STRICT, WITHOUT ROWID;",

	"ALTER TABLE revision ADD COLUMN source TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE revision ADD COLUMN method TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE revision ADD COLUMN created INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE revision ADD COLUMN content INTEGER;"
	"ALTER TABLE revision ADD COLUMN chain INTEGER;"
	"UPDATE revision SET (created, updated, deleted) = ("
	" SELECT total(before IS NULL), total(before NOT NULL AND after NOT NULL),"
	"  total(after IS NULL) FROM revision_change WHERE revision = number);"
	"CREATE TABLE audit ("
	" id INTEGER PRIMARY KEY,"
	" time INTEGER NOT NULL,"
	" caller TEXT NOT NULL,"
	" source TEXT NOT NULL,"
	" method TEXT NOT NULL,"
	" resource TEXT NOT NULL,"
	" revision INTEGER NOT NULL,"
	" code INTEGER NOT NULL,"
	" message TEXT NOT NULL) STRICT;"
	"CREATE TABLE request ("
	" number INTEGER PRIMARY KEY,"
	" id TEXT NOT NULL UNIQUE,"
	" digest INTEGER NOT NULL,"
	" time INTEGER NOT NULL,"
	" response BLOB NOT NULL) STRICT;"
	"CREATE TABLE pending ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" revision INTEGER NOT NULL,"
	" base INTEGER NOT NULL,"
	" deadline INTEGER NOT NULL) STRICT;",
};

/*
 * Damage is also what only a changed file makes sqlite say: that a statement of ours does not fit
 * the tables, or that a file we may write is read-only.
 */
static bool is_damage(int primary, const char *path)
{
	return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_ERROR ||
	       primary == SQLITE_CONSTRAINT || (primary == SQLITE_READONLY && !access(path, W_OK));
}

static int fail(sqlite3 *db, int code, const char *path, const char *what, struct problem *why)
{
	bool damaged = is_damage(code & 0xff, path);

	return problem_set(why, damaged ? PROBLEM_DATA_LOSS : PROBLEM_UNAVAILABLE, "%s: %s: %s",
			   path, what, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/* The one integer or text that a statement answers, copied to text. */
static int query(sqlite3 *db, const char *sql, char *text, size_t size)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		snprintf(text, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
		code = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return code;
}

static const char *one_line(char *text)
{
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return text;
}

/* Before anything is written: whose file is it, and is it whole? */
static int inspect(sqlite3 *db, const char *path, int *version, struct problem *why)
{
	char text[256] = "";
	int code;

	/* A newer program's log, which we don't know, stays as it is when we close. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	code = query(db, "PRAGMA user_version", text, sizeof(text));
	if (code != SQLITE_OK)
		return fail(db, code, path, "cannot be read", why);
	*version = atoi(text);
	if (*version < 0)
		return problem_set(why, PROBLEM_DATA_LOSS,
				   "%s: has schema %d, which is none of ours", path, *version);
	if (*version > STORE_SCHEMA)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "%s: has schema %d, this program knows schemas up to %d: it was "
				   "written by a newer version, and is left as it is",
				   path, *version, STORE_SCHEMA);
	code = query(db, "PRAGMA quick_check(1)", text, sizeof(text));
	if (code != SQLITE_OK)
		return fail(db, code, path, "cannot be checked", why);
	if (strcmp(text, "ok"))
		return problem_set(why, PROBLEM_DATA_LOSS, "%s: %s", path, one_line(text));
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	return 0;
}

static int migrate(sqlite3 *db, const char *path, int version, struct problem *why)
{
	for (; version < STORE_SCHEMA; version++) {
		char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT",
					    migrations[version], version + 1);
		int code = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;

		sqlite3_free(sql);
		if (code != SQLITE_OK)
			return fail(db, code, path, "cannot be brought to this schema", why);
	}
	return 0;
}

int store_schema_open(const char *path, sqlite3 **db, struct problem *why)
{
	static const char settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
	int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	int version = 0, rc;

	if (code != SQLITE_OK)
		return fail(*db, code, path, "cannot be opened", why);
	sqlite3_busy_timeout(*db, 2000);
	rc = inspect(*db, path, &version, why);
	if (rc)
		return rc;
	code = sqlite3_exec(*db, settings, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return fail(*db, code, path, "cannot be written", why);
	return migrate(*db, path, version, why);
}

int store_schema_adopt(sqlite3 *db, const char *name, struct problem *why)
{
	int version = 0, rc = inspect(db, name, &version, why);

	return rc ? rc : migrate(db, name, version, why);
}
