/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration on disk: reopened, damaged, of a newer schema, killed inside commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "ctrl/store.h"
#include "tests/unit/lib/ctrl_bed.h"

static struct sl_root *root;
static struct model *model;
static struct store *store;
static struct problem why;
static char directory[64], path[96], copy[104];

static void open_store(void)
{
	store = store_open(path, root, &model, &why);
}

static void close_store(void)
{
	store_close(store);
	model_free(model);
	store = NULL;
	model = NULL;
}

static void must_open(void)
{
	open_store();
	if (!store)
		fail_msg("%s", why.text);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/sluice-test-store-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/sluice.db", directory);
	snprintf(copy, sizeof(copy), "%s.copy", path);
	root = bed_root_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close_store();
	bed_root_free(root);
	bed_json_free();
	return bed_remove(directory);
}

/* Commit what a configuration changes, as the next revision. */
static int commit(const char *json)
{
	const struct apply_request request = {.op = APPLY_CONFIG, .message = BED_CONFIG(json)};
	struct store_revision revision = {.author = "test", .comment = "a comment"};
	struct change_set set;
	int rc = -1;

	if (!change_resolve(&set, model, &request, &why) && !change_enter(&set, &why)) {
		revision.number = model->revision + 1;
		revision.changes = &set;
		rc = store_commit(store, &revision, &why);
		if (!rc)
			change_settle(&set, revision.number);
	}
	change_free(&set);
	return rc;
}

/* One number from the file. */
static long long number(const char *sql)
{
	sqlite3_stmt *stmt;
	long long value;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

static void edit(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static const char changed[] =
	"{'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
	"'localAddressPools': [{'name': 'lan', 'addresses': ['198.51.100.11']}],"
	"'backendPools': [{'name': 'web', 'backends': ["
	" {'name': 'web-2', 'address': '198.51.100.102', 'port': 8080}]}]}";

static void comes_back_as_it_was(void **state)
{
	char before[RESOURCE_ETAG_SIZE], after[RESOURCE_ETAG_SIZE];
	uint32_t ref;

	(void)state;
	must_open();
	assert_int_equal(model->revision, 0);
	assert_int_equal(commit(bed_good), 0);
	assert_int_equal(commit(changed), 0);
	assert_int_equal(commit(bed_good), 0);
	model_etag(model, before);
	ref = model_find(model, RESOURCE_BACKEND, "web/web-1")->ref;
	close_store();
	must_open();
	assert_null(store_set_aside(store));
	assert_int_equal(model->revision, 3);
	assert_string_equal(model_etag(model, after), before);
	assert_int_equal(model_find(model, RESOURCE_BACKEND, "web/web-1")->ref, ref);
	assert_int_equal(model_find(model, RESOURCE_BACKEND, "web/web-1")->revision, 3);
	assert_int_equal(model->count[RESOURCE_INTERFACE], 2);
	assert_int_equal(model_find(model, RESOURCE_INTERFACE, "wan")->interface.n, 1);
}

/* The generation of a freed id outlives the process. */
static void generations_come_back(void **state)
{
	uint32_t first, second;

	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	first = model_find(model, RESOURCE_VIRTUAL_SERVER, "web")->ref;
	assert_int_equal(commit(changed), 0);
	close_store();
	must_open();
	assert_int_equal(commit(bed_good), 0);
	second = model_find(model, RESOURCE_VIRTUAL_SERVER, "web")->ref;
	assert_int_equal(SL_REF_ID(first), SL_REF_ID(second));
	assert_int_equal(SL_REF_GENERATION(second), SL_REF_GENERATION(first) + 1);
}

/* A revision holds what it changed, before and after, and no more. */
static void log_holds_what_changed(void **state)
{
	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	assert_int_equal(commit(changed), 0);
	assert_int_equal(number("SELECT count(*) FROM revision WHERE author = 'test' AND "
				"comment = 'a comment' AND time > 1600000000"),
			 2);
	/* wan, route, local pool, web-1, web-2, virtual server; neither lan nor the pool. */
	assert_int_equal(number("SELECT count(*) FROM revision_change WHERE revision = 2"), 6);
	assert_int_equal(number("SELECT count(*) FROM revision_change WHERE revision = 2 AND "
				"name = 'web/web-1' AND before NOT NULL AND after IS NULL"),
			 1);
	assert_int_equal(number("SELECT count(*) FROM revision_change c JOIN resource r USING "
				"(kind, name) WHERE c.revision = 2 AND c.name = 'web/web-2' AND "
				"c.after = r.message AND c.before <> c.after"),
			 1);
	assert_int_equal(number("SELECT revision FROM resource WHERE name = 'web/web-2'"), 2);
	assert_int_equal(number("SELECT revision FROM resource WHERE name = 'lan' AND kind = 0"),
			 1);
}

static void settings(void **state)
{
	(void)state;
	must_open();
	assert_int_equal(number("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
	assert_int_equal(number("PRAGMA user_version"), STORE_SCHEMA);
	assert_int_equal(number("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
				"sql NOT LIKE '%STRICT%'"),
			 0);
}

/* Nor is there a copy: an empty store takes its place. */
static void check_set_aside(void)
{
	struct stat unused;

	unlink(copy);
	must_open();
	assert_non_null(store_set_aside(store));
	assert_non_null(strstr(store_set_aside(store), "sluice.db.damaged-"));
	assert_int_equal(stat(store_set_aside(store), &unused), 0);
	assert_int_equal(model->revision, 0);
	assert_int_equal(model->count[RESOURCE_BACKEND], 0);
	/* And what takes its place works. */
	assert_int_equal(commit(bed_good), 0);
	close_store();
	must_open();
	assert_null(store_set_aside(store));
	assert_int_equal(model->revision, 1);
}

static void not_a_database(void **state)
{
	FILE *file = fopen(path, "w");

	(void)state;
	for (int i = 0; i < 5000; i++)
		fputs("not a database ", file);
	fclose(file);
	check_set_aside();
}

/* A page in the middle is overwritten: quick_check finds it. */
static void damaged_pages(void **state)
{
	char noise[4096];
	struct stat st;
	int fd;

	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	close_store();
	assert_int_equal(stat(path, &st), 0);
	fd = open(path, O_WRONLY);
	memset(noise, 0x5a, sizeof(noise));
	for (off_t at = sizeof(noise); at < st.st_size; at += sizeof(noise))
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
	check_set_aside();
}

static void damaged_message(void **state)
{
	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	close_store();
	edit("UPDATE resource SET message = x'ffffffff' WHERE name = 'web/web-1'");
	check_set_aside();
}

static void missing_identity(void **state)
{
	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	close_store();
	edit("DELETE FROM identity WHERE name = 'web/web-1'");
	check_set_aside();
}

static void tables_missing(void **state)
{
	(void)state;
	must_open();
	close_store();
	edit("DROP TABLE resource");
	check_set_aside();
}

/* Tables of our names that take anything: sqlite finds nothing wrong with NULLs in them. */
static void forged_tables(void **state)
{
	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	close_store();
	edit("DROP TABLE resource; CREATE TABLE resource (kind, name, message, revision);"
	     "INSERT INTO resource VALUES (NULL, NULL, NULL, NULL)");
	check_set_aside();
}

static uint64_t content(void)
{
	uint64_t h = 0;
	FILE *file = fopen(path, "r");

	for (int c; (c = fgetc(file)) != EOF;)
		h = h * 31 + (uint64_t)c;
	fclose(file);
	return h;
}

static void newer_schema(void **state)
{
	uint64_t before;

	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	close_store();
	edit("PRAGMA user_version = 99");
	before = content();
	open_store();
	assert_null(store);
	assert_null(model);
	assert_int_equal(why.code, PROBLEM_FAILED_PRECONDITION);
	assert_non_null(strstr(why.text, "has schema 99, this program knows schemas up to"));
	assert_true(content() == before);
}

static void cannot_be_opened(void **state)
{
	char good[sizeof(path)];

	(void)state;
	strcpy(good, path);
	strcpy(path, "/nowhere/at/all.db");
	open_store();
	assert_null(store);
	assert_int_equal(why.code, PROBLEM_UNAVAILABLE);
	assert_non_null(strstr(why.text, "/nowhere/at/all.db: cannot be opened"));
	strcpy(path, good);
	assert_int_equal(mkdir(path, 0700), 0);
	open_store();
	assert_null(store);
	assert_int_equal(rmdir(path), 0);
}

static void smaller_limits(void **state)
{
	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	close_store();
	root->max_backends = 1;
	open_store();
	assert_null(store);
	assert_int_equal(why.code, PROBLEM_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(why.text, "limits: backends: 1"));
	root->max_backends = 256;
	must_open(); /* and nothing was lost by that */
	assert_int_equal(model->count[RESOURCE_BACKEND], 2);
}

/* A commit that fails leaves the store as it was, and usable. */
static void failed_commit_changes_nothing(void **state)
{
	(void)state;
	must_open();
	assert_int_equal(commit(bed_good), 0);
	model->revision = 0; /* the number is taken */
	assert_int_not_equal(commit(changed), 0);
	assert_int_equal(why.code, PROBLEM_INTERNAL);
	close_store();
	must_open();
	assert_int_equal(model->revision, 1);
	assert_int_equal(model->count[RESOURCE_BACKEND], 2);
	assert_int_equal(commit(changed), 0);
}

/* Commits without end, until it is killed. Revision n is bed_good when n is odd. */
static void commit_forever(int to_parent)
{
	store = NULL;
	must_open();
	for (int i = 0; i < 100000; i++) {
		if (commit(model->revision % 2 ? changed : bed_good))
			_exit(1);
		if (write(to_parent, "c", 1) != 1)
			_exit(0);
	}
	_exit(1);
}

static void check_whole(unsigned int committed)
{
	must_open();
	assert_null(store_set_aside(store));
	/* Each one that was acknowledged is there; at most one more may be. */
	assert_in_range(model->revision, committed, committed + 1);
	assert_int_equal(model->count[RESOURCE_VIRTUAL_SERVER], model->revision % 2);
	assert_int_equal(model->count[RESOURCE_BACKEND], model->revision == 0  ? 0
							 : model->revision % 2 ? 2
									       : 1);
	close_store();
}

static void killed_inside_commits(void **state)
{
	unsigned int committed = 0;
	char byte;

	(void)state;
	/* A loaded machine may need more rounds, which are longer and longer, to commit anything.
	 */
	for (int round = 0; round < 40 || (committed <= 20 && round < 400); round++) {
		int fds[2], status;
		pid_t child;

		assert_int_equal(pipe(fds), 0);
		child = fork();
		if (child == 0) {
			close(fds[0]);
			commit_forever(fds[1]);
		}
		close(fds[1]);
		/* From before the first commit of the round to some way into the next ones. */
		usleep(1000 + (useconds_t)round * 700);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		while (read(fds[0], &byte, 1) == 1)
			committed++;
		close(fds[0]);
		check_whole(committed);
		must_open();
		committed = (unsigned int)model->revision;
		close_store();
	}
	assert_true(committed > 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(comes_back_as_it_was),   T(generations_come_back),
		T(log_holds_what_changed), T(settings),
		T(not_a_database),         T(damaged_pages),
		T(damaged_message),        T(missing_identity),
		T(tables_missing),         T(forged_tables),
		T(newer_schema),           T(cannot_be_opened),
		T(smaller_limits),         T(failed_commit_changes_nothing),
		T(killed_inside_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
