/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The database, past what sqlite itself checks: rows whose columns are anything. First byte: our
 * tables, or tables of the same names without types and constraints, as a forged file may have
 * them. What is read into a model goes on to the compiler; past revisions are read back.
 */
#include "tests/fuzz/lib/fuzz.h"

#include "ctrl/past.h"
#include "ctrl/store_check.h"
#include "ctrl/store_load.h"
#include "ctrl/store_read.h"
#include "ctrl/store_schema.h"
#include "tests/unit/lib/ctrl_bed.h"

#define COLUMNS_MAX 11
#define ROWS_MAX    64

static const char loose_tables[] =
	"CREATE TABLE resource (kind, name, message, revision);"
	"CREATE TABLE identity (class, id, generation, name, used);"
	"CREATE TABLE revision (number, time, author, source, method, comment, created, updated,"
	" deleted, content, chain);"
	"CREATE TABLE revision_change (revision, kind, name, before, after);"
	"CREATE TABLE audit (id, time, caller, source, method, resource, revision, code, message);"
	"CREATE TABLE request (number, id, digest, time, response);"
	"CREATE TABLE pending (one, revision, base, deadline)";

static const struct {
	const char *sql;
	int columns;
} tables[] = {
	{"INSERT OR REPLACE INTO resource (kind, name, message, revision) VALUES (?,?,?,?)", 4},
	{"INSERT OR REPLACE INTO identity (class, id, generation, name, used) VALUES (?,?,?,?,?)",
	 5},
	{"INSERT OR REPLACE INTO revision (number, time, author, source, method, comment, created,"
	 " updated, deleted, content, chain) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
	 11},
	{"INSERT OR REPLACE INTO revision_change (revision, kind, name, before, after)"
	 " VALUES (?,?,?,?,?)",
	 5},
	{"INSERT OR REPLACE INTO audit (id, time, caller, source, method, resource, revision, code,"
	 " message) VALUES (?,?,?,?,?,?,?,?,?)",
	 9},
	{"INSERT OR REPLACE INTO pending (one, revision, base, deadline) VALUES (?,?,?,?)", 4},
};

#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

static sqlite3 *databases[2];
static sqlite3_stmt *inserts[2][N_TABLES];
static struct sl_root *root;
static struct sl_snapshot *snapshot;

static void run_sql(sqlite3 *db, const char *sql)
{
	FUZZ_CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		   sqlite3_errmsg(db));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct problem why;

	(void)argc;
	(void)argv;
	root = bed_root_new();
	snapshot = root->arena.half[0];
	FUZZ_CHECK(!store_schema_open(":memory:", &databases[0], &why), "%s", why.text);
	FUZZ_CHECK(sqlite3_open(":memory:", &databases[1]) == SQLITE_OK, "memory");
	run_sql(databases[1], loose_tables);
	for (int d = 0; d < 2; d++)
		for (size_t t = 0; t < N_TABLES; t++)
			FUZZ_CHECK(sqlite3_prepare_v2(databases[d], tables[t].sql, -1,
						      &inserts[d][t], NULL) == SQLITE_OK,
				   "%s", sqlite3_errmsg(databases[d]));
	return 0;
}

/* ---- rows ---- */

enum value {
	VALUE_NULL,
	VALUE_SMALL,
	VALUE_INTEGER,
	VALUE_TEXT,
	VALUE_BLOB,
	VALUE_REAL,
	VALUE_MAX
};

static void bind(sqlite3_stmt *s, int column, struct fuzz_input *in)
{
	uint8_t kind = fuzz_u8(in) % VALUE_MAX;
	const uint8_t *bytes;
	sqlite3_int64 n = 0;
	size_t len;

	switch (kind) {
	case VALUE_SMALL: sqlite3_bind_int(s, column, fuzz_u8(in)); break;
	case VALUE_INTEGER:
		fuzz_copy(in, &n, sizeof(n));
		sqlite3_bind_int64(s, column, n);
		break;
	case VALUE_REAL: sqlite3_bind_double(s, column, fuzz_u16(in) * 1e300); break;
	case VALUE_TEXT:
		len = fuzz_u8(in);
		bytes = fuzz_bytes(in, len, &len);
		sqlite3_bind_text(s, column, (const char *)bytes, (int)len, SQLITE_STATIC);
		break;
	case VALUE_BLOB:
		len = fuzz_u16(in) % 2048;
		bytes = fuzz_bytes(in, len, &len);
		sqlite3_bind_blob(s, column, bytes, (int)len, SQLITE_STATIC);
		break;
	default: sqlite3_bind_null(s, column); break;
	}
}

/* sqlite may refuse a row: then there is one less. */
static void insert(sqlite3_stmt *const *statements, struct fuzz_input *in)
{
	size_t table = fuzz_u8(in) % N_TABLES;
	sqlite3_stmt *s = statements[table];

	for (int c = 1; c <= tables[table].columns; c++)
		bind(s, c, in);
	sqlite3_step(s);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
}

/* ---- what reads them ---- */

static int on_revision(void *arg, const struct store_revision_info *info)
{
	uint64_t *last = arg;

	FUZZ_CHECK(info->author && info->source && info->method && info->comment, "NULL");
	*last = info->number;
	return 0;
}

static int on_audit(void *arg, const struct store_audit *entry)
{
	(void)arg;
	FUZZ_CHECK(entry->caller && entry->source && entry->method && entry->resource &&
			   entry->message,
		   "NULL");
	return 0;
}

static void check_why(int rc, const struct problem *why)
{
	FUZZ_CHECK(!rc || (why->code && *why->text), "failed without a reason");
}

static void read_back(sqlite3 *db)
{
	const struct store_audit_filter all = {0};
	struct problem why = {.code = PROBLEM_NONE};
	uint64_t revision = 0;
	struct past past;

	check_why(store_list_revisions(db, 0, 100, on_revision, &revision, &why), &why);
	why.code = PROBLEM_NONE;
	check_why(store_list_audit(db, &all, 100, on_audit, NULL, &why), &why);
	why.code = PROBLEM_NONE;
	check_why(past_read(db, revision, &past, &why), &why);
	past_free(&past);
}

static void load(sqlite3 *db)
{
	const struct compile_target target = {
		.out = snapshot, .room = BED_HALF, .generation = 1, .revision = 1};
	struct problem why = {.code = PROBLEM_NONE};
	struct store_db store = {.db = db};
	struct model *model = model_new(root);
	int rc = store_check(&store, &why);

	FUZZ_CHECK(model, "memory");
	check_why(rc, &why);
	if (!rc) {
		rc = store_load(db, model, &why);
		check_why(rc, &why);
	}
	if (!rc)
		check_why(bed_compile(model, &target, &why), &why);
	model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, len};
	int which = fuzz_u8(&in) & 1;

	run_sql(databases[which], "BEGIN");
	for (int rows = 0; in.left && rows < ROWS_MAX; rows++)
		insert(inserts[which], &in);
	load(databases[which]);
	read_back(databases[which]);
	if (!sqlite3_get_autocommit(databases[which])) /* a conflict may have ended it */
		run_sql(databases[which], "ROLLBACK");
	return 0;
}
