/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first revision that is kept is where the chain begins: what was before it was removed on
 * purpose. A revision of an older program has no hashes, which checks neither it nor the step to
 * its successor.
 */
#include "ctrl/store_check.h"

#include <inttypes.h>

/* Never NULL: a forged file's tables may allow it. */
static const char *text_column(sqlite3_stmt *s, int column)
{
	return (const char *)sqlite3_column_text(s, column) ?: "";
}

static uint64_t hash_column(sqlite3_stmt *s, int kind, int name, int message)
{
	const void *bytes = sqlite3_column_blob(s, message);

	return resource_hash((enum resource_kind)sqlite3_column_int(s, kind), text_column(s, name),
			     bytes, (size_t)sqlite3_column_bytes(s, message));
}

static int cannot_read(sqlite3 *db, struct problem *why)
{
	return problem_set(why, PROBLEM_DATA_LOSS, "cannot be read: %s", sqlite3_errmsg(db));
}

static int sum_resources(struct store_db *db, struct problem *why)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db->db, "SELECT kind, name, message FROM resource", -1, &s,
				      NULL);

	db->content = 0;
	if (code == SQLITE_OK)
		while ((code = sqlite3_step(s)) == SQLITE_ROW)
			db->content += hash_column(s, 0, 1, 2);
	sqlite3_finalize(s);
	return code == SQLITE_DONE ? 0 : cannot_read(db->db, why);
}

/* A revision on the walk. */
struct link {
	uint64_t number;
	uint64_t content;
	uint64_t chain;
	bool known; /* it has hashes */
};

static struct link read_link(sqlite3_stmt *s)
{
	return (struct link){
		.number = (uint64_t)sqlite3_column_int64(s, 0),
		.content = (uint64_t)sqlite3_column_int64(s, 6),
		.chain = (uint64_t)sqlite3_column_int64(s, 7),
		.known = sqlite3_column_type(s, 6) != SQLITE_NULL,
	};
}

/* Sum of what a revision's changes added, and took away. */
static int sum_changes(sqlite3_stmt *s, uint64_t revision, uint64_t *sum)
{
	int code;

	*sum = 0;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)revision);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		if (sqlite3_column_type(s, 2) != SQLITE_NULL)
			*sum -= hash_column(s, 0, 1, 2);
		if (sqlite3_column_type(s, 3) != SQLITE_NULL)
			*sum += hash_column(s, 0, 1, 3);
	}
	sqlite3_reset(s);
	return code;
}

static bool words_fit(sqlite3_stmt *s, const struct link *before, const struct link *link)
{
	const char *text[4];

	for (int i = 0; i < 4; i++)
		text[i] = text_column(s, 2 + i);
	return link->chain == store_chain(before->chain, link->number,
					  (uint64_t)sqlite3_column_int64(s, 1), link->content,
					  text);
}

static int check_link(sqlite3_stmt *s, sqlite3_stmt *changes, const struct link *before,
		      const struct link *link, struct problem *why)
{
	uint64_t sum;

	if (!before->known || !link->known)
		return 0;
	if (!words_fit(s, before, link))
		return problem_set(why, PROBLEM_DATA_LOSS,
				   "revision %" PRIu64 " is not as it was written", link->number);
	if (sum_changes(changes, link->number, &sum) != SQLITE_DONE)
		return cannot_read(sqlite3_db_handle(s), why);
	if (before->content + sum != link->content)
		return problem_set(why, PROBLEM_DATA_LOSS,
				   "the changes of revision %" PRIu64
				   " do not lead from its predecessor to it",
				   link->number);
	return 0;
}

/* The last one is in *last at the end. */
static int walk(sqlite3_stmt *s, sqlite3_stmt *changes, struct link *last, struct problem *why)
{
	int code, rc = 0;

	*last = (struct link){0};
	while (!rc && (code = sqlite3_step(s)) == SQLITE_ROW) {
		struct link link = read_link(s);

		rc = check_link(s, changes, last, &link, why);
		*last = link;
	}
	return rc ? rc : code == SQLITE_DONE ? 0 : cannot_read(sqlite3_db_handle(s), why);
}

int store_check(struct store_db *db, struct problem *why)
{
	static const char revisions[] = "SELECT number, time, author, source, method, comment, "
					"content, chain FROM revision ORDER BY number";
	static const char one[] = "SELECT kind, name, before, after FROM revision_change "
				  "WHERE revision = ?1";
	sqlite3_stmt *s = NULL, *changes = NULL;
	struct link last;
	int rc = sum_resources(db, why);

	if (!rc && (sqlite3_prepare_v2(db->db, revisions, -1, &s, NULL) != SQLITE_OK ||
		    sqlite3_prepare_v2(db->db, one, -1, &changes, NULL) != SQLITE_OK))
		rc = cannot_read(db->db, why);
	if (!rc)
		rc = walk(s, changes, &last, why);
	sqlite3_finalize(s);
	sqlite3_finalize(changes);
	if (rc)
		return rc;
	db->chain = last.chain;
	if (last.known && last.content != db->content)
		return problem_set(why, PROBLEM_DATA_LOSS,
				   "the resources are not those of revision %" PRIu64, last.number);
	return 0;
}
