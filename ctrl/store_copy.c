/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/store_copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sluice/log.h>

#include "ctrl/store_schema.h"

SL_LOG_TYPE(copy_log, "sluice.ctrl.store.copy");

/* A revision of more changes is not carried out again on the copy: its pages are copied. */
#define BY_PAGES 10000

void store_copy_lose(struct store_copy *copy, const char *why)
{
	sl_log(copy_log, ERR, "the copy %s: %s: it is given up until the next start", copy->path,
	       why);
	sqlite3_backup_finish(copy->backup);
	copy->backup = NULL;
	store_db_close(&copy->db);
	unlink(copy->path);
}

static uint64_t last_chain(sqlite3 *db, uint64_t *number)
{
	sqlite3_stmt *s = NULL;
	uint64_t chain = 0;

	*number = 0;
	if (sqlite3_prepare_v2(db,
			       "SELECT number, chain FROM revision ORDER BY number DESC LIMIT 1",
			       -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW) {
		*number = (uint64_t)sqlite3_column_int64(s, 0);
		chain = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
	return chain;
}

/*
 * So many pages at a time (all: -1) from the file to the copy. What is written to the file
 * meanwhile goes to the pages that were copied, too, because it is by the same connection.
 */
static int copy_pages(struct store_copy *copy, struct store_db *file, int pages)
{
	int code;

	if (!copy->backup)
		copy->backup = sqlite3_backup_init(copy->db.db, "main", file->db, "main");
	code = copy->backup ? sqlite3_backup_step(copy->backup, pages) : SQLITE_ERROR;
	if (code == SQLITE_OK)
		return SQLITE_OK;
	sqlite3_backup_finish(copy->backup);
	copy->backup = NULL;
	if (code != SQLITE_DONE)
		return code;
	copy->db.content = file->content;
	copy->db.chain = file->chain;
	copy->behind = false;
	return SQLITE_OK;
}

static void remove_file(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[4096];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static int open_copy(struct store_copy *copy, struct store_db *file, struct problem *why)
{
	struct store_db *db = &copy->db;
	uint64_t number, own_number;
	bool same;

	if (store_schema_open(copy->path, &db->db, why)) {
		store_db_close(db);
		remove_file(copy->path);
		if (store_schema_open(copy->path, &db->db, why))
			return -EINVAL;
	}
	/* The one transaction that may be missing after a kill changes both. */
	same = last_chain(db->db, &number) == last_chain(file->db, &own_number) &&
	       number == own_number;
	if (!same && copy_pages(copy, file, -1) != SQLITE_OK)
		return problem_set(why, PROBLEM_UNAVAILABLE, "cannot be written: %s",
				   sqlite3_errmsg(db->db));
	/* After the pages: they bring the file's own settings along. */
	if (sqlite3_exec(db->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", NULL,
			 NULL, NULL) != SQLITE_OK ||
	    store_db_prepare(db) != SQLITE_OK)
		return problem_set(why, PROBLEM_UNAVAILABLE, "%s", sqlite3_errmsg(db->db));
	db->content = file->content;
	db->chain = file->chain;
	return 0;
}

void store_copy_open(struct store_copy *copy, struct store_db *file)
{
	struct problem why;

	if (open_copy(copy, file, &why))
		store_copy_lose(copy, why.text);
}

void store_copy_close(struct store_copy *copy)
{
	sqlite3_backup_finish(copy->backup);
	store_db_close(&copy->db);
	free(copy->path);
}

void store_copy_write(struct store_copy *copy, const struct store_revision *revision, uint64_t now)
{
	if (revision->changes->n > BY_PAGES)
		copy->behind = true;
	if (copy->db.db && !copy->behind && store_write(&copy->db, revision, now) != SQLITE_OK)
		store_copy_lose(copy, sqlite3_errmsg(copy->db.db));
}

void store_copy_write_audit(struct store_copy *copy, const struct store_audit *entries, size_t n)
{
	if (copy->db.db && store_write_audit(&copy->db, entries, n) != SQLITE_OK)
		store_copy_lose(copy, sqlite3_errmsg(copy->db.db));
}

bool store_copy_catch_up(struct store_copy *copy, struct store_db *file, int pages)
{
	if (copy->db.db && copy->behind && copy_pages(copy, file, pages) != SQLITE_OK)
		store_copy_lose(copy, sqlite3_errmsg(copy->db.db));
	return copy->db.db && copy->behind;
}
