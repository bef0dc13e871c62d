/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's memory: past revisions read back, what a change costs, what is kept and for how
 * long, the copy, damage that sqlite does not see, databases of earlier schemas.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "ctrl/past.h"
#include "ctrl/store_read.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "tests/unit/lib/store_bed.h"

static void reopen(void)
{
	store_bed_close();
	store_bed_must_open();
}

static void must_commit(const char *json)
{
	const struct store_revision with = {
		.author = "me", .source = "here", .method = "m", .comment = "why"};

	if (store_bed_commit(json, &with))
		fail_msg("%s", store_bed.why.text);
}

/* A revision with that timeout and nothing else. */
static void must_commit_timeout(unsigned int udp)
{
	char json[64];

	snprintf(json, sizeof(json), "{'timeouts': {'udp': %u}}", udp);
	must_commit(json);
}

static long long ask(const char *sql)
{
	return store_bed_ask(store_bed.path, sql);
}

/* ---- read back ---- */

/* The sum of the resources of a revision as they are read back, and the model's etag in binary. */
static uint64_t hash_of(uint64_t revision)
{
	struct past past;
	uint64_t sum = 0;

	if (past_read(store_database(store_bed.store), revision, &past, &store_bed.why))
		fail_msg("%s", store_bed.why.text);
	for (size_t i = 0; i < past.n; i++)
		sum += past.list[i]->hash;
	past_free(&past);
	return sum;
}

/* Resources of a model that are stored: a port's empty interface is not. */
static uint64_t stored_hash(void)
{
	uint64_t sum = 0;

	for (int kind = 0; kind < RESOURCE_KIND_MAX; kind++)
		for (const struct resource *r = model_after(store_bed.model, kind, ""); r;
		     r = model_next(r))
			sum += r->revision ? r->hash : 0;
	return sum;
}

/* Random configurations against what the model was after each of them. */
static void any_revision_is_read_back_whole(void **state)
{
	enum { REVISIONS = 60 };
	uint64_t wanted[REVISIONS + 1];
	char json[4096];

	(void)state;
	srandom(7);
	store_bed_must_open();
	for (int i = 1; i <= REVISIONS; i++) {
		size_t n = (size_t)snprintf(json, sizeof(json), "{'backendPools': [");

		for (int p = 0; p < 4; p++) {
			n += (size_t)snprintf(json + n, sizeof(json) - n,
					      "%s{'name': 'p-%d', 'backends': [", p ? "," : "",
					      p + (int)(random() % 2) * 10);
			for (long b = 0; b < random() % 5; b++)
				n += (size_t)snprintf(json + n, sizeof(json) - n,
						      "%s{'name': 'b%ld', 'address': '10.0.0.%ld', "
						      "'port': %ld}",
						      b ? "," : "", b, b + 1, 1 + random() % 3);
			n += (size_t)snprintf(json + n, sizeof(json) - n, "]}");
		}
		snprintf(json + n, sizeof(json) - n, "], 'timeouts': {'udp': %d}}", i);
		must_commit(json);
		wanted[i] = stored_hash();
	}
	for (int i = 1; i <= REVISIONS; i++)
		assert_true(hash_of((uint64_t)i) == wanted[i]);
	reopen();
	for (int i = REVISIONS; i; i--)
		assert_true(hash_of((uint64_t)i) == wanted[i]);
	assert_true(hash_of(0) == wanted[REVISIONS]);
}

static void what_never_was(void **state)
{
	struct past past;

	(void)state;
	store_bed_must_open();
	assert_true(hash_of(0) == 0); /* nothing was ever configured */
	must_commit(bed_good);
	assert_int_not_equal(past_read(store_database(store_bed.store), 2, &past, &store_bed.why),
			     0);
	assert_int_equal(store_bed.why.code, PROBLEM_NOT_FOUND);
	past_free(&past);
}

/* ---- what a change costs ---- */

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static char *many_backends(unsigned int n)
{
	size_t room = n * 80 + 100, used = 0;
	char *json = malloc(room);

	used = (size_t)snprintf(json, room, "{'backendPools': [{'name': 'p', 'backends': [");
	for (unsigned int b = 0; b < n; b++)
		used += (size_t)snprintf(json + used, room - used,
					 "%s{'name': 'b%u', 'address': '10.%u.%u.%u', 'port': 1}",
					 b ? "," : "", b, b >> 16, b >> 8 & 255, b & 255 ?: 1);
	snprintf(json + used, room - used, "]}]}");
	return json;
}

static off_t size_of(const char *file)
{
	struct stat st;

	return stat(file, &st) ? 0 : st.st_size;
}

static int rows(void)
{
	return sqlite3_total_changes(store_database(store_bed.store));
}

/* One weight, in a configuration of so many backends. Rows, bytes of the log, milliseconds. */
static void cost(unsigned int backends, int *n_rows, off_t *bytes, double *ms)
{
	struct apply_request request = {
		.op = APPLY_UPDATE,
		.kind = RESOURCE_BACKEND,
		.pool = "p",
		.message =
			bed_json(&sluice__v1__backend__descriptor, "{'name': 'b7', 'weight': 9}"),
		.mask = "weight",
	};
	struct store_revision revision = {.author = "me", .method = "m"};
	char wal[112], *json = many_backends(backends);
	struct change_set set;
	int before;

	must_commit(json);
	free(json);
	request.message = bed_json(&sluice__v1__backend__descriptor, "{'name': 'b7', 'weight': 9}");
	store_bed_edit(store_bed.path, "PRAGMA wal_checkpoint(TRUNCATE)");
	before = rows();
	snprintf(wal, sizeof(wal), "%s-wal", store_bed.path);
	*ms = now_ms();
	assert_int_equal(change_resolve(&set, store_bed.model, &request, &store_bed.why), 0);
	assert_int_equal(change_enter(&set, &store_bed.why), 0);
	revision.number = store_bed.model->revision + 1;
	revision.changes = &set;
	assert_int_equal(store_commit(store_bed.store, &revision, &store_bed.why), 0);
	*ms = now_ms() - *ms;
	change_settle(&set, revision.number);
	change_free(&set);
	*n_rows = rows() - before;
	*bytes = size_of(wal);
}

static void cost_follows_the_change(void **state)
{
	double ms_small, ms_large;
	off_t small, large;
	int rows_small, rows_large;

	(void)state;
	store_bed.root->max_backends = 100000;
	store_bed_must_open();
	cost(100, &rows_small, &small, &ms_small);
	store_bed_close();
	unlink(store_bed.path);
	unlink(store_bed.copy);
	store_bed_must_open();
	cost(100000, &rows_large, &large, &ms_large);
	print_message("# one weight of 100: %d rows, %lld bytes, %.1f ms; of 100,000: %d rows, "
		      "%lld bytes, %.1f ms\n",
		      rows_small, (long long)small, ms_small, rows_large, (long long)large,
		      ms_large);
	/* The backend, its change, the revision, the audit entry. */
	assert_int_equal(rows_small, 4);
	assert_int_equal(rows_large, 4);
	assert_true(large > 0 && large <= small + 4 * 4200); /* a deeper tree is a page more */
	assert_true(ms_large < 500);
	assert_int_equal(ask("SELECT sum(length(before) + length(after)) < 100 FROM "
			     "revision_change WHERE revision = 2"),
			 1);
}

/* ---- what is kept ---- */

static void tidy(void)
{
	for (int i = 0; store_tidy(store_bed.store); i++)
		assert_true(i < 1000);
}

static void kept_by_number(void **state)
{
	struct past past;

	(void)state;
	store_bed_must_open();
	store_set_retention(store_bed.store,
			    &(struct store_retention){.revisions = 10, .audit = 5});
	for (unsigned int i = 1; i <= 30; i++)
		must_commit_timeout(i);
	tidy();
	assert_int_equal(ask("SELECT count(*) FROM revision"), 10);
	assert_int_equal(ask("SELECT min(number) FROM revision"), 21);
	assert_int_equal(ask("SELECT count(*) FROM revision_change"), 10);
	assert_int_equal(ask("SELECT count(*) FROM audit"), 5);
	assert_int_not_equal(past_read(store_database(store_bed.store), 20, &past, &store_bed.why),
			     0);
	assert_int_equal(store_bed.why.code, PROBLEM_NOT_FOUND);
	past_free(&past);
	hash_of(21);
	reopen(); /* a chain that begins in the middle */
	assert_null(store_set_aside(store_bed.store));
	assert_int_equal(store_bed.model->revision, 30);
	hash_of(21);
	assert_int_equal(store_bed_ask(store_bed.copy, "SELECT count(*) FROM revision"), 10);
}

static void kept_by_age(void **state)
{
	(void)state;
	store_bed_must_open();
	for (unsigned int i = 1; i <= 5; i++)
		must_commit_timeout(i);
	store_bed_close();
	/* As an older program, whose revisions have no hashes, so that their words can be changed.
	 */
	store_bed_edit(store_bed.path,
		       "UPDATE revision SET content = NULL, chain = NULL;"
		       "UPDATE revision SET time = time - 3 * 86400 WHERE number <= 3");
	store_bed_must_open();
	store_set_retention(store_bed.store,
			    &(struct store_retention){.revisions = 100, .days = 4});
	tidy();
	assert_int_equal(ask("SELECT count(*) FROM revision"), 5);
	store_set_retention(store_bed.store,
			    &(struct store_retention){.revisions = 100, .days = 2});
	tidy();
	assert_int_equal(ask("SELECT min(number) FROM revision"), 4);
	assert_int_equal(ask("SELECT min(revision) FROM revision_change"), 4);
}

/* The last revision stays however old, and what a pending one may go back to however many. */
static void kept_in_any_case(void **state)
{
	struct store_revision pending = {.pending = {5, 4, 4102444800}};

	(void)state;
	store_bed_must_open();
	for (unsigned int i = 1; i <= 4; i++)
		must_commit_timeout(i);
	assert_int_equal(store_bed_commit("{'timeouts': {'udp': 5}}", &pending), 0);
	store_set_retention(store_bed.store, &(struct store_retention){.revisions = 1, .audit = 1});
	tidy();
	assert_int_equal(ask("SELECT min(number) FROM revision"), 4);
	hash_of(4);
	reopen();
	assert_int_equal(store_pending(store_bed.store)->revision, 5);
	assert_int_equal(store_pending(store_bed.store)->base, 4);
	assert_int_equal(store_bed_commit("{}", &(struct store_revision){.settles = true}), 0);
	assert_int_equal(store_pending(store_bed.store)->revision, 0);
	store_set_retention(store_bed.store, &(struct store_retention){.revisions = 1, .audit = 1});
	tidy();
	assert_int_equal(ask("SELECT min(number) FROM revision"), 6);
}

/* ---- requests that come again ---- */

static void answers_are_kept(void **state)
{
	static const uint8_t answer[] = {1, 0, 2};
	struct store_revision with = {
		.request_id = "r-1",
		.request_digest = 42,
		.response = answer,
		.response_len = sizeof(answer),
	};
	uint8_t *response = NULL;
	size_t len;

	(void)state;
	store_bed_must_open();
	assert_int_equal(
		store_find_request(store_bed.store, "r-1", 42, &response, &len, &store_bed.why), 0);
	assert_int_equal(store_bed_commit(bed_good, &with), 0);
	reopen();
	assert_int_equal(
		store_find_request(store_bed.store, "r-1", 42, &response, &len, &store_bed.why), 1);
	assert_int_equal(len, sizeof(answer));
	assert_memory_equal(response, answer, len);
	free(response);
	assert_true(store_find_request(store_bed.store, "r-1", 43, &response, &len,
				       &store_bed.why) < 0);
	assert_int_equal(store_bed.why.code, PROBLEM_INVALID_ARGUMENT);
	/* After a day it is another request. */
	store_bed_edit(store_bed.path, "UPDATE request SET time = time - 90000");
	assert_int_equal(
		store_find_request(store_bed.store, "r-1", 42, &response, &len, &store_bed.why), 0);
}

/* ---- damage ---- */

static void damage(const char *file, off_t at, size_t len)
{
	char noise[4096];
	int fd = open(file, O_WRONLY);

	memset(noise, 0x5a, sizeof(noise));
	assert_int_equal(pwrite(fd, noise, len, at), (ssize_t)len);
	close(fd);
}

/* Nothing is lost: the copy has all, and is made again. */
static void comes_back_from_the_copy(uint64_t revision)
{
	store_bed_must_open();
	assert_true(store_from_copy(store_bed.store));
	assert_int_equal(store_bed.model->revision, revision);
	assert_int_equal(store_bed.model->count[RESOURCE_VIRTUAL_SERVER], 1);
	for (uint64_t n = 1; n <= revision; n++)
		hash_of(n);
	must_commit_timeout((unsigned int)revision + 100);
	must_commit(bed_good);
	reopen();
	assert_false(store_from_copy(store_bed.store));
	assert_int_equal(store_bed_ask(store_bed.copy, "SELECT max(number) FROM revision"),
			 (long long)revision + 2);
}

static void some_revisions(void)
{
	store_bed_must_open();
	must_commit(bed_good);
	must_commit_timeout(5);
	must_commit(bed_good);
	store_bed_close();
}

static void a_damaged_page(void **state)
{
	(void)state;
	some_revisions();
	damage(store_bed.path, 4096, 4096);
	comes_back_from_the_copy(3);
	assert_null(store_set_aside(store_bed.store)); /* of the second opening */
}

static void half_a_file(void **state)
{
	(void)state;
	some_revisions();
	assert_int_equal(truncate(store_bed.path, size_of(store_bed.path) / 2 / 4096 * 4096), 0);
	comes_back_from_the_copy(3);
}

static void a_missing_file(void **state)
{
	(void)state;
	some_revisions();
	unlink(store_bed.path);
	comes_back_from_the_copy(3);
}

/* Valid for sqlite, each: only our hashes tell. */
static void silent_damage(void **state)
{
	static const char *const cases[] = {
		"UPDATE resource SET message = (SELECT message FROM resource WHERE name = "
		"'web/web-2') WHERE name = 'web/web-1'",
		"DELETE FROM resource WHERE kind = 1",
		"UPDATE revision_change SET before = after WHERE revision = 3",
		"DELETE FROM revision_change WHERE revision = 2 AND kind = 1",
		"UPDATE revision SET comment = 'somebody else' WHERE number = 2",
		"DELETE FROM revision WHERE number = 2",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		some_revisions();
		store_bed_edit(store_bed.path, cases[i]);
		store_bed_must_open();
		if (!store_from_copy(store_bed.store))
			fail_msg("not noticed: %s", cases[i]);
		assert_int_equal(store_bed.model->revision, 3);
		store_bed_close();
		assert_int_equal(bed_remove(store_bed.directory), 0);
		assert_int_equal(mkdir(store_bed.directory, 0700), 0);
	}
}

/* A bit of what is not zero, behind the header, which can make it look like a newer program's. */
static void flip_a_bit(void)
{
	int fd = open(store_bed.path, O_RDWR);
	uint8_t byte = 0;
	off_t at = 0;

	while (!byte) {
		at = 100 + random() % (size_of(store_bed.path) - 100);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
	}
	byte ^= (uint8_t)(1 << random() % 8);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* It is noticed, or what is read is right all the same. */
static void flipped_bits(void **state)
{
	uint64_t wanted[4];
	unsigned int noticed = 0;

	(void)state;
	some_revisions();
	store_bed_must_open();
	for (uint64_t n = 1; n <= 3; n++)
		wanted[n] = hash_of(n);
	store_bed_close();
	srandom(3);
	for (int round = 0; round < 60; round++) {
		flip_a_bit();
		store_bed_must_open();
		noticed += store_from_copy(store_bed.store);
		assert_int_equal(store_bed.model->revision, 3);
		for (uint64_t n = 1; n <= 3; n++)
			assert_true(hash_of(n) == wanted[n]);
		store_bed_close();
	}
	print_message("# noticed: %u of 60\n", noticed);
	assert_true(noticed > 20);
}

static void both_are_damaged(void **state)
{
	(void)state;
	some_revisions();
	damage(store_bed.path, 4096, 4096);
	damage(store_bed.copy, 4096, 4096);
	store_bed_must_open();
	assert_non_null(store_set_aside(store_bed.store));
	assert_false(store_from_copy(store_bed.store));
	assert_int_equal(store_bed.model->revision, 0);
	must_commit(bed_good);
}

/* Killed between the two, or a copy from a former time: it is made the same again. */
static void a_copy_that_is_behind(void **state)
{
	(void)state;
	some_revisions();
	store_bed_edit(store_bed.copy, "DELETE FROM revision WHERE number = 3");
	store_bed_must_open();
	assert_int_equal(store_bed_ask(store_bed.copy, "SELECT max(number) FROM revision"), 3);
	store_bed_close();
	unlink(store_bed.copy);
	store_bed_must_open();
	assert_int_equal(store_bed_ask(store_bed.copy, "SELECT max(number) FROM revision"), 3);
	store_bed_close();
	damage(store_bed.copy, 0, 4096);
	store_bed_must_open();
	assert_int_equal(store_bed_ask(store_bed.copy, "SELECT max(number) FROM revision"), 3);
}

/* ---- earlier schemas ---- */

static char *read_file(const char *name)
{
	FILE *file = fopen(name, "r");
	char *text = calloc(1, 1 << 20);

	if (!file)
		fail_msg("%s: not there", name);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

/* Each was dumped from a database that the program of then wrote. */
static void every_earlier_schema(void **state)
{
	(void)state;
	for (int version = 1; version < STORE_SCHEMA; version++) {
		char name[64], *sql;
		struct past past;

		snprintf(name, sizeof(name), "tests/unit/schema/%d.sql", version);
		sql = read_file(name);
		store_bed_edit(store_bed.path, sql);
		free(sql);
		store_bed_must_open();
		assert_null(store_set_aside(store_bed.store));
		assert_int_equal(ask("PRAGMA user_version"), STORE_SCHEMA);
		assert_int_equal(store_bed.model->revision, 3);
		assert_int_equal(store_bed.model->count[RESOURCE_BACKEND], 1);
		assert_int_equal(
			model_find(store_bed.model, RESOURCE_BACKEND, "web/web-1")->backend.weight,
			7);
		/* The past was kept. */
		assert_int_equal(
			past_read(store_database(store_bed.store), 1, &past, &store_bed.why), 0);
		assert_int_equal(past.n, 8);
		past_free(&past);
		assert_int_equal(ask("SELECT updated FROM revision WHERE number = 2"), 1);
		assert_int_equal(ask("SELECT deleted FROM revision WHERE number = 3"), 1);
		/* And it goes on from there, with hashes. */
		must_commit(bed_good);
		must_commit_timeout(9);
		reopen();
		assert_false(store_from_copy(store_bed.store));
		assert_int_equal(store_bed.model->revision, 5);
		hash_of(1);
		store_bed_close();
		assert_int_equal(bed_remove(store_bed.directory), 0);
		assert_int_equal(mkdir(store_bed.directory, 0700), 0);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, store_bed_set_up, store_bed_tear_down)
	const struct CMUnitTest tests[] = {
		T(any_revision_is_read_back_whole),
		T(what_never_was),
		T(cost_follows_the_change),
		T(kept_by_number),
		T(kept_by_age),
		T(kept_in_any_case),
		T(answers_are_kept),
		T(a_damaged_page),
		T(half_a_file),
		T(a_missing_file),
		T(silent_damage),
		T(flipped_bits),
		T(both_are_damaged),
		T(a_copy_that_is_behind),
		T(every_earlier_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
