/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sluice/log.h>

#include "ctrl/store_check.h"
#include "ctrl/store_copy.h"
#include "ctrl/store_load.h"
#include "ctrl/store_schema.h"
#include "ctrl/store_write.h"

SL_LOG_TYPE(store_log, "sluice.ctrl.store");

#define TIDY_ROWS  1000 /* removed at a time */
#define TIDY_PAGES 256  /* copied at a time */

struct store {
	char *path;
	struct store_db main;
	struct store_copy copy;
	char *set_aside;
	bool from_copy;
	struct store_retention retention;
	struct store_pending pending;
};

/* ---- transactions ---- */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int store_commit(struct store *store, const struct store_revision *revision, struct problem *why)
{
	uint64_t now = now_ms();

	if (store_write(&store->main, revision, now) != SQLITE_OK) {
		problem_set(why, PROBLEM_INTERNAL, "the configuration database: %s",
			    sqlite3_errmsg(store->main.db));
		store_db_undo(&store->main);
		return -EIO;
	}
	if (revision->settles)
		store->pending = (struct store_pending){0};
	if (revision->pending.revision)
		store->pending = revision->pending;
	store_copy_write(&store->copy, revision, now);
	return 0;
}

void store_audit(struct store *store, const struct store_audit *entries, size_t n)
{
	if (store_write_audit(&store->main, entries, n) != SQLITE_OK) {
		sl_log(store_log, ERR, "the audit log: %zu entries are lost: %s", n,
		       sqlite3_errmsg(store->main.db));
		store_db_undo(&store->main);
	} else {
		store_copy_write_audit(&store->copy, entries, n);
	}
}

int store_find_request(struct store *store, const char *id, uint64_t digest, uint8_t **response,
		       size_t *len, struct problem *why)
{
	sqlite3_stmt *s = store->main.statement[STORE_FIND_REQUEST];
	int code, found = 0;

	sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)time(NULL) - STORE_REQUEST_KEPT_S);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW && (uint64_t)sqlite3_column_int64(s, 0) != digest) {
		found = problem_set(why, PROBLEM_INVALID_ARGUMENT,
				    "request_id: \"%.64s\" was another request's", id);
	} else if (code == SQLITE_ROW) {
		*len = (size_t)sqlite3_column_bytes(s, 1);
		*response = malloc(*len + 1);
		found = *response ? 1
				  : problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
		if (*response && *len)
			memcpy(*response, sqlite3_column_blob(s, 1), *len);
	}
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return found;
}

/* ---- what is kept ---- */

/* One number of one statement with one argument. */
static uint64_t ask(sqlite3 *db, const char *sql, uint64_t argument)
{
	sqlite3_stmt *s = NULL;
	uint64_t number = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) {
		if (sqlite3_bind_parameter_count(s))
			sqlite3_bind_int64(s, 1, (sqlite3_int64)argument);
		if (sqlite3_step(s) == SQLITE_ROW)
			number = (uint64_t)sqlite3_column_int64(s, 0);
	}
	sqlite3_finalize(s);
	return number;
}

/* Revisions below are kept no longer. The last one is, and what a pending one may go back to. */
static uint64_t first_kept(const struct store *store)
{
	const struct store_retention *keep = &store->retention;
	sqlite3 *db = store->main.db;
	uint64_t first = ask(db,
			     "SELECT number FROM revision ORDER BY number DESC LIMIT 1 "
			     "OFFSET ?1",
			     keep->revisions ? keep->revisions - 1 : 0);
	uint64_t last = ask(db, "SELECT max(number) FROM revision", 0);
	uint64_t old = 0;

	if (keep->days)
		old = ask(db, "SELECT max(number) FROM revision WHERE time < ?1",
			  (uint64_t)time(NULL) - keep->days * UINT64_C(86400));
	first = old + 1 > first ? old + 1 : first;
	first = first < last ? first : last;
	return store->pending.revision && store->pending.base < first ? store->pending.base : first;
}

/* How many rows were removed; -1: it failed. */
static int tidy(struct store_db *db, uint64_t first, uint64_t audit)
{
	sqlite3_stmt *revisions = db->statement[STORE_FORGET_REVISIONS];
	sqlite3_stmt *changes = db->statement[STORE_FORGET_CHANGES];
	int before = sqlite3_total_changes(db->db);

	sqlite3_bind_int64(revisions, 1, (sqlite3_int64)first);
	sqlite3_bind_int64(changes, 1, (sqlite3_int64)first);
	sqlite3_bind_int(changes, 2, TIDY_ROWS);
	sqlite3_bind_int64(db->statement[STORE_FORGET_AUDIT], 1, (sqlite3_int64)audit);
	if (store_db_step(db, STORE_BEGIN) || store_db_step(db, STORE_FORGET_REVISIONS) ||
	    store_db_step(db, STORE_FORGET_CHANGES) || store_db_step(db, STORE_FORGET_AUDIT) ||
	    store_db_step(db, STORE_COMMIT)) {
		store_db_undo(db);
		return -1;
	}
	return sqlite3_total_changes(db->db) - before;
}

static bool something_to_forget(const struct store *store, uint64_t first)
{
	sqlite3 *db = store->main.db;

	return ask(db, "SELECT EXISTS (SELECT 1 FROM revision_change WHERE revision < ?1)",
		   first) ||
	       ask(db, "SELECT EXISTS (SELECT 1 FROM revision WHERE number < ?1)", first) ||
	       ask(db, "SELECT max(id) - min(id) >= ?1 FROM audit", store->retention.audit);
}

bool store_tidy(struct store *store)
{
	uint64_t first = first_kept(store);
	int n;

	if (store_copy_catch_up(&store->copy, &store->main, TIDY_PAGES))
		return true;
	if (!something_to_forget(store, first))
		return false;
	n = tidy(&store->main, first, store->retention.audit);
	if (n < 0)
		sl_log(store_log, ERR, "old revisions cannot be removed: %s",
		       sqlite3_errmsg(store->main.db));
	if (store->copy.db.db && tidy(&store->copy.db, first, store->retention.audit) < 0)
		store_copy_lose(&store->copy, sqlite3_errmsg(store->copy.db.db));
	return n >= TIDY_ROWS;
}

/* ---- opening ---- */

static void read_pending(struct store *store)
{
	sqlite3_stmt *s = NULL;

	store->pending = (struct store_pending){0};
	if (sqlite3_prepare_v2(store->main.db, "SELECT revision, base, deadline FROM pending", -1,
			       &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		store->pending = (struct store_pending){
			(uint64_t)sqlite3_column_int64(s, 0),
			(uint64_t)sqlite3_column_int64(s, 1),
			(uint64_t)sqlite3_column_int64(s, 2),
		};
	sqlite3_finalize(s);
}

/* Open a file as the store's own, with all checks. */
static int open_and_load(struct store *store, const char *path, const struct sl_root *root,
			 struct model **model, struct problem *why)
{
	struct store_db *db = &store->main;
	int rc = store_schema_open(path, &db->db, why);

	if (!rc && store_db_prepare(db) != SQLITE_OK)
		/* Its schema is ours by number, but the tables aren't. */
		rc = problem_set(why, PROBLEM_DATA_LOSS, "%s: %s", path, sqlite3_errmsg(db->db));
	if (!rc)
		rc = store_check(db, why);
	if (!rc) {
		*model = model_new(root);
		rc = *model ? store_load(db->db, *model, why)
			    : problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	}
	if (rc) {
		model_free(*model);
		*model = NULL;
		store_db_close(db);
	} else {
		read_pending(store);
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
static int move_aside(const char *path, char **to, struct problem *why)
{
	char reason[sizeof(why->text)], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	int rc;

	memcpy(reason, why->text, sizeof(reason));
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	if (asprintf(to, "%s.damaged-%s", path, stamp) < 0) {
		*to = NULL;
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	}
	(void)((rc = move(path, "", *to)) || (rc = move(path, "-wal", *to)) ||
	       (rc = move(path, "-shm", *to)));
	if (rc)
		return problem_set(why, PROBLEM_UNAVAILABLE,
				   "%s: is damaged and cannot be moved to %s: %s", path, *to,
				   strerror(-rc));
	sl_log(store_log, ERR, "database %s is damaged (%s): set aside as %s", path, reason, *to);
	return 0;
}

static bool exists(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size > 0;
}

/*
 * Let the copy take the file's place, when it is whole: it is opened where it is, with all checks,
 * and renamed when it is closed again, which empties its log. -EINVAL: there is none.
 */
static int use_copy(struct store *store, const struct sl_root *root, struct model **model,
		    struct problem *why)
{
	char *aside = NULL;
	int rc;

	if (!exists(store->copy.path))
		return problem_set(why, PROBLEM_DATA_LOSS, "%s: is not there", store->copy.path);
	rc = open_and_load(store, store->copy.path, root, model, why);
	if (rc) {
		if (why->code == PROBLEM_DATA_LOSS)
			move_aside(store->copy.path, &aside, why);
		free(aside);
		return rc;
	}
	model_free(*model);
	*model = NULL;
	store_db_close(&store->main);
	if (rename(store->copy.path, store->path))
		return problem_set(why, PROBLEM_UNAVAILABLE, "%s: cannot be moved to %s: %s",
				   store->copy.path, store->path, strerror(errno));
	rc = open_and_load(store, store->path, root, model, why);
	if (rc)
		return rc;
	store->from_copy = true;
	sl_log(store_log, ERR, "database %s: its copy took its place, at revision %" PRIu64,
	       store->path, (*model)->revision);
	return 0;
}

static int open_main(struct store *store, const struct sl_root *root, struct model **model,
		     struct problem *why)
{
	int rc;

	if (!exists(store->path) && exists(store->copy.path)) {
		sl_log(store_log, ERR, "database %s is not there, but its copy is", store->path);
		rc = use_copy(store, root, model, why);
		if (!rc || why->code != PROBLEM_DATA_LOSS)
			return rc;
	}
	rc = open_and_load(store, store->path, root, model, why);
	if (!rc || why->code != PROBLEM_DATA_LOSS)
		return rc;
	rc = move_aside(store->path, &store->set_aside, why);
	if (rc)
		return rc;
	rc = use_copy(store, root, model, why);
	if (!rc || why->code != PROBLEM_DATA_LOSS)
		return rc;
	sl_log(store_log, ERR, "no copy of the database can be used (%s): starting empty",
	       why->text);
	return open_and_load(store, store->path, root, model, why);
}

struct store *store_open(const char *path, const struct sl_root *root, struct model **model,
			 struct problem *why)
{
	struct store *store = calloc(1, sizeof(*store));

	*model = NULL;
	why->code = PROBLEM_NONE;
	if (store) {
		store->path = strdup(path);
		if (asprintf(&store->copy.path, "%s.copy", path) < 0)
			store->copy.path = NULL;
		store->retention = (struct store_retention){STORE_KEEP_REVISIONS, STORE_KEEP_DAYS,
							    STORE_KEEP_AUDIT};
	}
	if (!store || !store->path || !store->copy.path)
		problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	else if (!open_main(store, root, model, why)) {
		store_copy_open(&store->copy, &store->main);
		return store;
	}
	store_close(store);
	return NULL;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_copy_close(&store->copy);
	store_db_close(&store->main);
	free(store->set_aside);
	free(store->path);
	free(store);
}

void store_set_retention(struct store *store, const struct store_retention *retention)
{
	store->retention = *retention;
}

const char *store_set_aside(const struct store *store)
{
	return store->set_aside;
}

bool store_from_copy(const struct store *store)
{
	return store->from_copy;
}

const char *store_path(const struct store *store)
{
	return store->path;
}

const struct store_pending *store_pending(const struct store *store)
{
	return &store->pending;
}

sqlite3 *store_database(struct store *store)
{
	return store->main.db;
}
