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

#include "tests/unit/lib/store_bed.h"

/* Commit what a configuration changes, as the next revision. */
static int commit(const char *json)
{
	const struct store_revision with = {.author = "test", .comment = "a comment"};

	return store_bed_commit(json, &with);
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
	store_bed_must_open();
	assert_int_equal(store_bed.model->revision, 0);
	assert_int_equal(commit(bed_good), 0);
	assert_int_equal(commit(changed), 0);
	assert_int_equal(commit(bed_good), 0);
	model_etag(store_bed.model, before);
	ref = model_find(store_bed.model, RESOURCE_BACKEND, "web/web-1")->ref;
	store_bed_close();
	store_bed_must_open();
	assert_null(store_set_aside(store_bed.store));
	assert_int_equal(store_bed.model->revision, 3);
	assert_string_equal(model_etag(store_bed.model, after), before);
	assert_int_equal(model_find(store_bed.model, RESOURCE_BACKEND, "web/web-1")->ref, ref);
	assert_int_equal(model_find(store_bed.model, RESOURCE_BACKEND, "web/web-1")->revision, 3);
	assert_int_equal(store_bed.model->count[RESOURCE_INTERFACE], 2);
	assert_int_equal(model_find(store_bed.model, RESOURCE_INTERFACE, "wan")->interface.n, 1);
}

/* The generation of a freed id outlives the process. */
static void generations_come_back(void **state)
{
	uint32_t first, second;

	(void)state;
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	first = model_find(store_bed.model, RESOURCE_VIRTUAL_SERVER, "web")->ref;
	assert_int_equal(commit(changed), 0);
	store_bed_close();
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	second = model_find(store_bed.model, RESOURCE_VIRTUAL_SERVER, "web")->ref;
	assert_int_equal(SL_REF_ID(first), SL_REF_ID(second));
	assert_int_equal(SL_REF_GENERATION(second), SL_REF_GENERATION(first) + 1);
}

/* A revision holds what it changed, before and after, and no more. */
static void log_holds_what_changed(void **state)
{
	(void)state;
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	assert_int_equal(commit(changed), 0);
	assert_int_equal(store_bed_ask(store_bed.path,
				       "SELECT count(*) FROM revision WHERE author = 'test' AND "
				       "comment = 'a comment' AND time > 1600000000"),
			 2);
	/* wan, route, local pool, web-1, web-2, virtual server; neither lan nor the pool. */
	assert_int_equal(store_bed_ask(store_bed.path,
				       "SELECT count(*) FROM revision_change WHERE revision = 2"),
			 6);
	assert_int_equal(
		store_bed_ask(store_bed.path,
			      "SELECT count(*) FROM revision_change WHERE revision = 2 AND "
			      "name = 'web/web-1' AND before NOT NULL AND after IS NULL"),
		1);
	assert_int_equal(
		store_bed_ask(store_bed.path,
			      "SELECT count(*) FROM revision_change c JOIN resource r USING "
			      "(kind, name) WHERE c.revision = 2 AND c.name = 'web/web-2' AND "
			      "c.after = r.message AND c.before <> c.after"),
		1);
	assert_int_equal(store_bed_ask(store_bed.path,
				       "SELECT revision FROM resource WHERE name = 'web/web-2'"),
			 2);
	assert_int_equal(
		store_bed_ask(store_bed.path,
			      "SELECT revision FROM resource WHERE name = 'lan' AND kind = 0"),
		1);
}

static void settings(void **state)
{
	(void)state;
	store_bed_must_open();
	assert_int_equal(store_bed_ask(store_bed.path,
				       "SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
			 1);
	assert_int_equal(store_bed_ask(store_bed.path, "PRAGMA user_version"), STORE_SCHEMA);
	assert_int_equal(
		store_bed_ask(store_bed.path,
			      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
			      "sql NOT LIKE '%STRICT%'"),
		0);
}

/* Nor is there a copy: an empty store takes its place. */
static void check_set_aside(void)
{
	struct stat unused;

	unlink(store_bed.copy);
	store_bed_must_open();
	assert_non_null(store_set_aside(store_bed.store));
	assert_non_null(strstr(store_set_aside(store_bed.store), "sluice.db.damaged-"));
	assert_int_equal(stat(store_set_aside(store_bed.store), &unused), 0);
	assert_int_equal(store_bed.model->revision, 0);
	assert_int_equal(store_bed.model->count[RESOURCE_BACKEND], 0);
	/* And what takes its place works. */
	assert_int_equal(commit(bed_good), 0);
	store_bed_close();
	store_bed_must_open();
	assert_null(store_set_aside(store_bed.store));
	assert_int_equal(store_bed.model->revision, 1);
}

static void not_a_database(void **state)
{
	FILE *file = fopen(store_bed.path, "w");

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
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	store_bed_close();
	assert_int_equal(stat(store_bed.path, &st), 0);
	fd = open(store_bed.path, O_WRONLY);
	memset(noise, 0x5a, sizeof(noise));
	for (off_t at = sizeof(noise); at < st.st_size; at += sizeof(noise))
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
	check_set_aside();
}

static void damaged_message(void **state)
{
	(void)state;
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	store_bed_close();
	store_bed_edit(store_bed.path,
		       "UPDATE resource SET message = x'ffffffff' WHERE name = 'web/web-1'");
	check_set_aside();
}

static void missing_identity(void **state)
{
	(void)state;
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	store_bed_close();
	store_bed_edit(store_bed.path, "DELETE FROM identity WHERE name = 'web/web-1'");
	check_set_aside();
}

static void tables_missing(void **state)
{
	(void)state;
	store_bed_must_open();
	store_bed_close();
	store_bed_edit(store_bed.path, "DROP TABLE resource");
	check_set_aside();
}

/* Schemas that are none, or not that of the tables. */
static void wrong_schema_numbers(void **state)
{
	static const char *const numbers[] = {"-5", "0", "1"};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char sql[64];

		store_bed_must_open();
		assert_int_equal(commit(bed_good), 0);
		store_bed_close();
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %s", numbers[i]);
		store_bed_edit(store_bed.path, sql);
		check_set_aside();
		store_bed_close();
		assert_int_equal(bed_remove(store_bed.directory), 0);
		assert_int_equal(mkdir(store_bed.directory, 0700), 0);
	}
}

/* Tables of our names that take anything: sqlite finds nothing wrong with NULLs in them. */
static void forged_tables(void **state)
{
	(void)state;
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	store_bed_close();
	store_bed_edit(store_bed.path,
		       "DROP TABLE resource; CREATE TABLE resource (kind, name, message, revision);"
		       "INSERT INTO resource VALUES (NULL, NULL, NULL, NULL)");
	check_set_aside();
}

static uint64_t content(void)
{
	uint64_t h = 0;
	FILE *file = fopen(store_bed.path, "r");

	for (int c; (c = fgetc(file)) != EOF;)
		h = h * 31 + (uint64_t)c;
	fclose(file);
	return h;
}

static void newer_schema(void **state)
{
	uint64_t before;

	(void)state;
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	store_bed_close();
	store_bed_edit(store_bed.path, "PRAGMA user_version = 99");
	before = content();
	store_bed_open();
	assert_null(store_bed.store);
	assert_null(store_bed.model);
	assert_int_equal(store_bed.why.code, PROBLEM_FAILED_PRECONDITION);
	assert_non_null(
		strstr(store_bed.why.text, "has schema 99, this program knows schemas up to"));
	assert_true(content() == before);
}

static void cannot_be_opened(void **state)
{
	char good[sizeof(store_bed.path)];

	(void)state;
	strcpy(good, store_bed.path);
	strcpy(store_bed.path, "/nowhere/at/all.db");
	store_bed_open();
	assert_null(store_bed.store);
	assert_int_equal(store_bed.why.code, PROBLEM_UNAVAILABLE);
	assert_non_null(strstr(store_bed.why.text, "/nowhere/at/all.db: cannot be opened"));
	strcpy(store_bed.path, good);
	assert_int_equal(mkdir(store_bed.path, 0700), 0);
	store_bed_open();
	assert_null(store_bed.store);
	assert_int_equal(rmdir(store_bed.path), 0);
}

static void smaller_limits(void **state)
{
	(void)state;
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	store_bed_close();
	store_bed.root->max_backends = 1;
	store_bed_open();
	assert_null(store_bed.store);
	assert_int_equal(store_bed.why.code, PROBLEM_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(store_bed.why.text, "limits: backends: 1"));
	store_bed.root->max_backends = 256;
	store_bed_must_open(); /* and nothing was lost by that */
	assert_int_equal(store_bed.model->count[RESOURCE_BACKEND], 2);
}

/* A commit that fails leaves the store as it was, and usable. */
static void failed_commit_changes_nothing(void **state)
{
	(void)state;
	store_bed_must_open();
	assert_int_equal(commit(bed_good), 0);
	store_bed.model->revision = 0; /* the number is taken */
	assert_int_not_equal(commit(changed), 0);
	assert_int_equal(store_bed.why.code, PROBLEM_INTERNAL);
	store_bed_close();
	store_bed_must_open();
	assert_int_equal(store_bed.model->revision, 1);
	assert_int_equal(store_bed.model->count[RESOURCE_BACKEND], 2);
	assert_int_equal(commit(changed), 0);
}

/* Commits without end, until it is killed. Revision n is bed_good when n is odd. */
static void commit_forever(int to_parent)
{
	store_bed.store = NULL;
	store_bed_must_open();
	for (int i = 0; i < 100000; i++) {
		if (commit(store_bed.model->revision % 2 ? changed : bed_good))
			_exit(1);
		if (write(to_parent, "c", 1) != 1)
			_exit(0);
	}
	_exit(1);
}

static void check_whole(unsigned int committed)
{
	store_bed_must_open();
	assert_null(store_set_aside(store_bed.store));
	/* Each one that was acknowledged is there; at most one more may be. */
	assert_in_range(store_bed.model->revision, committed, committed + 1);
	assert_int_equal(store_bed.model->count[RESOURCE_VIRTUAL_SERVER],
			 store_bed.model->revision % 2);
	assert_int_equal(store_bed.model->count[RESOURCE_BACKEND],
			 store_bed.model->revision == 0  ? 0
			 : store_bed.model->revision % 2 ? 2
							 : 1);
	store_bed_close();
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
		store_bed_must_open();
		committed = (unsigned int)store_bed.model->revision;
		store_bed_close();
	}
	assert_true(committed > 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, store_bed_set_up, store_bed_tear_down)
	const struct CMUnitTest tests[] = {
		T(comes_back_as_it_was),
		T(generations_come_back),
		T(log_holds_what_changed),
		T(settings),
		T(not_a_database),
		T(damaged_pages),
		T(damaged_message),
		T(missing_identity),
		T(tables_missing),
		T(wrong_schema_numbers),
		T(forged_tables),
		T(newer_schema),
		T(cannot_be_opened),
		T(smaller_limits),
		T(failed_commit_changes_nothing),
		T(killed_inside_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
