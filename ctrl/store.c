/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/log.h>

#include "ctrl/store_load.h"
#include "ctrl/store_schema.h"

SL_LOG_TYPE(store_log, "sluice.ctrl.store");

/* X(symbol, SQL): what a commit says; prepared once. */
#define STATEMENTS(X)                                                     \
	X(BEGIN, "BEGIN IMMEDIATE")                                       \
	X(COMMIT, "COMMIT")                                               \
	X(REVISION, "INSERT INTO revision VALUES (?1, ?2, ?3, ?4)")       \
	X(PUT, "INSERT OR REPLACE INTO resource VALUES (?1, ?2, ?3, ?4)") \
	X(DELETE, "DELETE FROM resource WHERE kind = ?1 AND name = ?2")   \
	X(LOG, "INSERT INTO revision_change VALUES (?1, ?2, ?3, ?4, ?5)") \
	X(IDENTITY, "INSERT OR REPLACE INTO identity VALUES (?1, ?2, ?3, ?4, ?5)")

enum statement {
#define X(symbol, sql) STATEMENT_##symbol,
	STATEMENTS(X)
#undef X
		STATEMENT_MAX
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENT_MAX];
	char *set_aside;
};

/* ---- commit ---- */

static int step(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int write_revision(struct store *store, const struct store_revision *revision)
{
	sqlite3_stmt *s = store->statement[STATEMENT_REVISION];

	sqlite3_bind_int64(s, 1, (sqlite3_int64)revision->number);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)time(NULL));
	sqlite3_bind_text(s, 3, revision->author ? revision->author : "", -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, revision->comment ? revision->comment : "", -1, SQLITE_STATIC);
	return step(s);
}

static void bind_message(sqlite3_stmt *s, int column, const struct resource *r)
{
	if (r)
		sqlite3_bind_blob64(s, column, r->packed, r->packed_len, SQLITE_STATIC);
}

static int write_change(struct store *store, const struct change *c, uint64_t revision)
{
	const struct resource *r = c->after ? c->after : c->before;
	sqlite3_stmt *s = store->statement[c->after ? STATEMENT_PUT : STATEMENT_DELETE];
	int code;

	sqlite3_bind_int(s, 1, r->kind);
	sqlite3_bind_text(s, 2, r->name, -1, SQLITE_STATIC);
	if (c->after) {
		bind_message(s, 3, c->after);
		sqlite3_bind_int64(s, 4, (sqlite3_int64)revision);
	}
	code = step(s);
	if (code != SQLITE_OK)
		return code;
	s = store->statement[STATEMENT_LOG];
	sqlite3_bind_int64(s, 1, (sqlite3_int64)revision);
	sqlite3_bind_int(s, 2, r->kind);
	sqlite3_bind_text(s, 3, r->name, -1, SQLITE_STATIC);
	bind_message(s, 4, c->before);
	bind_message(s, 5, c->after);
	return step(s);
}

static bool has_id(const struct resource *r, uint32_t ref)
{
	struct model_id id;

	for (size_t i = 0; r && model_nth_id(r, i, &id); i++)
		if (*id.ref == ref)
			return true;
	return false;
}

/* The ids of one side that the other doesn't have. */
static int write_ids(struct store *store, const struct resource *r, const struct resource *other,
		     bool used)
{
	sqlite3_stmt *s = store->statement[STATEMENT_IDENTITY];
	int code = SQLITE_OK;
	struct model_id id;

	for (size_t i = 0; r && code == SQLITE_OK && model_nth_id(r, i, &id); i++) {
		if (has_id(other, *id.ref))
			continue;
		sqlite3_bind_int(s, 1, id.class);
		sqlite3_bind_int64(s, 2, SL_REF_ID(*id.ref));
		sqlite3_bind_int(s, 3, SL_REF_GENERATION(*id.ref));
		sqlite3_bind_text(s, 4, id.name, -1, SQLITE_TRANSIENT);
		sqlite3_bind_int(s, 5, used);
		code = step(s);
	}
	return code;
}

/* Freed ids first, since a created resource may have one of them. */
static int write_all(struct store *store, const struct store_revision *revision)
{
	const struct change_set *set = revision->changes;
	int code = step(store->statement[STATEMENT_BEGIN]);

	if (code == SQLITE_OK)
		code = write_revision(store, revision);
	for (size_t i = 0; i < set->n && code == SQLITE_OK; i++)
		code = write_ids(store, set->list[i].before, set->list[i].after, false);
	for (size_t i = 0; i < set->n && code == SQLITE_OK; i++) {
		code = write_change(store, &set->list[i], revision->number);
		if (code == SQLITE_OK)
			code = write_ids(store, set->list[i].after, set->list[i].before, true);
	}
	return code == SQLITE_OK ? step(store->statement[STATEMENT_COMMIT]) : code;
}

int store_commit(struct store *store, const struct store_revision *revision, struct problem *why)
{
	int code = write_all(store, revision);

	if (code == SQLITE_OK)
		return 0;
	problem_set(why, PROBLEM_INTERNAL, "the configuration database: %s",
		    sqlite3_errmsg(store->db));
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return -EIO;
}

/* ---- opening ---- */

static int prepare(struct store *store, const char *path, struct problem *why)
{
	static const char *const sql[STATEMENT_MAX] = {
#define X(symbol, text) [STATEMENT_##symbol] = text,
		STATEMENTS(X)
#undef X
	};

	for (int i = 0; i < STATEMENT_MAX; i++)
		if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &store->statement[i], NULL) != SQLITE_OK)
			/* Its schema is ours by number, but the tables aren't. */
			return problem_set(why, PROBLEM_DATA_LOSS, "%s: %s", path,
					   sqlite3_errmsg(store->db));
	return 0;
}

static void close_database(struct store *store)
{
	for (int i = 0; i < STATEMENT_MAX; i++) {
		sqlite3_finalize(store->statement[i]);
		store->statement[i] = NULL;
	}
	sqlite3_close(store->db);
	store->db = NULL;
}

static int open_and_load(struct store *store, const char *path, const struct sl_root *root,
			 struct model **model, struct problem *why)
{
	int rc = store_schema_open(path, &store->db, why);

	if (!rc)
		rc = prepare(store, path, why);
	if (!rc) {
		*model = model_new(root);
		rc = *model ? store_load(store->db, *model, why)
			    : problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	}
	if (rc) {
		model_free(*model);
		*model = NULL;
		close_database(store);
	}
	return rc;
}

static int move(const char *path, const char *suffix, const char *to)
{
	char from_name[4096], to_name[4096];

	snprintf(from_name, sizeof(from_name), "%s%s", path, suffix);
	snprintf(to_name, sizeof(to_name), "%s%s", to, suffix);
	return rename(from_name, to_name) && errno != ENOENT ? -errno : 0;
}

/* The log and its index go with the file: without them it would be another file. */
static int set_aside(struct store *store, const char *path, struct problem *why)
{
	char reason[sizeof(why->text)], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	int rc;

	memcpy(reason, why->text, sizeof(reason));
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	if (asprintf(&store->set_aside, "%s.damaged-%s", path, stamp) < 0)
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	(void)((rc = move(path, "", store->set_aside)) ||
	       (rc = move(path, "-wal", store->set_aside)) ||
	       (rc = move(path, "-shm", store->set_aside)));
	if (rc)
		return problem_set(why, PROBLEM_UNAVAILABLE,
				   "%s: is damaged and cannot be moved to %s: %s", path,
				   store->set_aside, strerror(-rc));
	sl_log(store_log, ERR, "database %s is damaged (%s): set aside as %s, starting empty", path,
	       reason, store->set_aside);
	return 0;
}

struct store *store_open(const char *path, const struct sl_root *root, struct model **model,
			 struct problem *why)
{
	struct store *store = calloc(1, sizeof(*store));
	int rc;

	*model = NULL;
	if (!store) {
		problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
		return NULL;
	}
	rc = open_and_load(store, path, root, model, why);
	if (rc && why->code == PROBLEM_DATA_LOSS) {
		rc = set_aside(store, path, why);
		if (!rc)
			rc = open_and_load(store, path, root, model, why);
	}
	if (!rc)
		return store;
	store_close(store);
	return NULL;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	close_database(store);
	free(store->set_aside);
	free(store);
}

const char *store_set_aside(const struct store *store)
{
	return store->set_aside;
}
