/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lib/store_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#define B (&store_bed)

struct store_bed store_bed;

int store_bed_set_up(void **state)
{
	(void)state;
	snprintf(B->directory, sizeof(B->directory), "%s/sluice-test-store-XXXXXX",
		 getenv("TMPDIR") ?: "/tmp");
	if (!mkdtemp(B->directory))
		return -1;
	snprintf(B->path, sizeof(B->path), "%s/sluice.db", B->directory);
	snprintf(B->copy, sizeof(B->copy), "%s.copy", B->path);
	B->root = bed_root_new();
	return 0;
}

int store_bed_tear_down(void **state)
{
	(void)state;
	store_bed_close();
	bed_root_free(B->root);
	bed_json_free();
	return bed_remove(B->directory);
}

void store_bed_open(void)
{
	B->store = store_open(B->path, B->root, &B->model, &B->why);
}

void store_bed_must_open(void)
{
	store_bed_open();
	if (!B->store)
		fail_msg("%s", B->why.text);
}

void store_bed_close(void)
{
	store_close(B->store);
	model_free(B->model);
	B->store = NULL;
	B->model = NULL;
}

int store_bed_commit(const char *json, const struct store_revision *with)
{
	const struct apply_request request = {.op = APPLY_CONFIG, .message = BED_CONFIG(json)};
	struct store_revision revision = *with;
	struct change_set set;
	int rc = -1;

	if (!change_resolve(&set, B->model, &request, &B->why) && !change_enter(&set, &B->why)) {
		revision.number = B->model->revision + 1;
		revision.changes = &set;
		rc = store_commit(B->store, &revision, &B->why);
		if (!rc)
			change_settle(&set, revision.number);
	}
	change_free(&set);
	bed_json_free();
	return rc;
}

long long store_bed_ask(const char *file, const char *sql)
{
	sqlite3_stmt *stmt;
	long long value;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

void store_bed_edit(const char *file, const char *sql)
{
	char *text = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s", text);
	sqlite3_close(db);
}
