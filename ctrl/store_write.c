/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/store_write.h"

#include <stdio.h>
#include <string.h>

#include <sluice/snapshot.h>

#define REQUESTS_KEPT 1000

int store_db_prepare(struct store_db *db)
{
	static const char *const sql[STORE_STATEMENT_MAX] = {
#define X(symbol, text) [STORE_##symbol] = text,
		STORE_STATEMENTS(X)
#undef X
	};
	int code = SQLITE_OK;

	for (int i = 0; i < STORE_STATEMENT_MAX && code == SQLITE_OK; i++)
		code = sqlite3_prepare_v3(db->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					  &db->statement[i], NULL);
	return code;
}

void store_db_close(struct store_db *db)
{
	for (int i = 0; i < STORE_STATEMENT_MAX; i++)
		sqlite3_finalize(db->statement[i]);
	sqlite3_close(db->db);
	*db = (struct store_db){0};
}

static int finish(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

int store_db_step(struct store_db *db, enum store_statement statement)
{
	return finish(db->statement[statement]);
}

void store_db_undo(struct store_db *db)
{
	if (!sqlite3_get_autocommit(db->db))
		sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
}

static void bind_number(sqlite3_stmt *s, int column, uint64_t value)
{
	sqlite3_bind_int64(s, column, (sqlite3_int64)value);
}

static void bind_text(sqlite3_stmt *s, int column, const char *text)
{
	sqlite3_bind_text(s, column, text ? text : "", -1, SQLITE_STATIC);
}

/* FNV-1a; damage is to be found, not malice. */
static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t store_chain(uint64_t before, uint64_t number, uint64_t time, uint64_t content,
		     const char *const text[4])
{
	const uint64_t words[] = {before, number, time, content};
	uint64_t h = hash(UINT64_C(0xcbf29ce484222325), words, sizeof(words));

	for (int i = 0; i < 4; i++)
		h = text[i] ? hash(h, text[i], strlen(text[i]) + 1) : hash(h, "", 1);
	return h;
}

/* ---- resources ---- */

static void bind_key(sqlite3_stmt *s, int column, const struct resource *r)
{
	sqlite3_bind_int(s, column, r->kind);
	bind_text(s, column + 1, r->name);
}

static void bind_message(sqlite3_stmt *s, int column, const struct resource *r)
{
	sqlite3_bind_blob64(s, column, r->packed, r->packed_len, SQLITE_STATIC);
}

/*
 * Bind what is stored now to the log's column. Read here rather than taken from the model, which
 * may know an older program's message in another form.
 */
static int take_before(struct store_db *db, const struct resource *r, sqlite3_stmt *log, int column,
		       uint64_t *content)
{
	sqlite3_stmt *s = db->statement[STORE_GET];
	int code;

	bind_key(s, 1, r);
	code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		const void *message = sqlite3_column_blob(s, 0);
		int len = sqlite3_column_bytes(s, 0);

		*content -= resource_hash(r->kind, r->name, message, (size_t)len);
		sqlite3_bind_blob(log, column, len ? message : "", len, SQLITE_TRANSIENT);
		code = SQLITE_DONE;
	}
	sqlite3_reset(s);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int write_change(struct store_db *db, const struct change *c, uint64_t revision,
			uint64_t *content)
{
	sqlite3_stmt *log = db->statement[STORE_LOG];
	const struct resource *r = c->after ? c->after : c->before;
	sqlite3_stmt *s = db->statement[c->after ? STORE_PUT : STORE_DELETE];
	int code = SQLITE_OK;

	bind_number(log, 1, revision);
	bind_key(log, 2, r);
	if (c->before)
		code = take_before(db, r, log, 4, content);
	bind_key(s, 1, r);
	if (c->after) {
		bind_message(log, 5, r);
		bind_message(s, 3, r);
		bind_number(s, 4, revision);
		*content += r->hash;
	}
	if (code == SQLITE_OK)
		code = finish(s);
	return code == SQLITE_OK ? finish(log) : code;
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
static int write_ids(struct store_db *db, const struct resource *r, const struct resource *other,
		     bool used)
{
	sqlite3_stmt *s = db->statement[STORE_IDENTITY];
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
		code = finish(s);
	}
	return code;
}

/* Freed ids first, since a created resource may have one of them. */
static int write_changes(struct store_db *db, const struct store_revision *revision,
			 uint64_t *content)
{
	const struct change_set *set = revision->changes;
	int code = SQLITE_OK;

	for (size_t i = 0; i < set->n && code == SQLITE_OK; i++)
		code = write_ids(db, set->list[i].before, set->list[i].after, false);
	for (size_t i = 0; i < set->n && code == SQLITE_OK; i++) {
		code = write_change(db, &set->list[i], revision->number, content);
		if (code == SQLITE_OK)
			code = write_ids(db, set->list[i].after, set->list[i].before, true);
	}
	return code;
}

/* ---- what goes with them ---- */

static int write_revision(struct store_db *db, const struct store_revision *r, uint64_t now,
			  uint64_t content, uint64_t chain)
{
	sqlite3_stmt *s = db->statement[STORE_REVISION];

	bind_number(s, 1, r->number);
	bind_number(s, 2, now / 1000);
	bind_text(s, 3, r->author);
	bind_text(s, 4, r->source);
	bind_text(s, 5, r->method);
	bind_text(s, 6, r->comment);
	bind_number(s, 7, r->changes->created);
	bind_number(s, 8, r->changes->updated);
	bind_number(s, 9, r->changes->deleted);
	bind_number(s, 10, content);
	bind_number(s, 11, chain);
	return finish(s);
}

static int write_pending(struct store_db *db, const struct store_revision *r)
{
	sqlite3_stmt *s = db->statement[STORE_PEND];

	if (r->settles && store_db_step(db, STORE_SETTLE) != SQLITE_OK)
		return SQLITE_ERROR;
	if (!r->pending.revision)
		return SQLITE_OK;
	bind_number(s, 1, r->pending.revision);
	bind_number(s, 2, r->pending.base);
	bind_number(s, 3, r->pending.deadline);
	return finish(s);
}

static int write_request(struct store_db *db, const struct store_revision *r, uint64_t now)
{
	sqlite3_stmt *s = db->statement[STORE_REQUEST];
	int code;

	if (!r->request_id)
		return SQLITE_OK;
	bind_text(s, 1, r->request_id);
	bind_number(s, 2, r->request_digest);
	bind_number(s, 3, now / 1000);
	sqlite3_bind_blob64(s, 4, r->response_len ? r->response : (const uint8_t *)"",
			    r->response_len, SQLITE_STATIC);
	code = finish(s);
	s = db->statement[STORE_FORGET_REQUESTS];
	bind_number(s, 1, REQUESTS_KEPT);
	bind_number(s, 2, now / 1000 - STORE_REQUEST_KEPT_S);
	return code == SQLITE_OK ? finish(s) : code;
}

static int write_entry(struct store_db *db, const struct store_audit *entry)
{
	sqlite3_stmt *s = db->statement[STORE_AUDIT];

	bind_number(s, 1, entry->time);
	bind_text(s, 2, entry->caller);
	bind_text(s, 3, entry->source);
	bind_text(s, 4, entry->method);
	bind_text(s, 5, entry->resource);
	bind_number(s, 6, entry->revision);
	sqlite3_bind_int(s, 7, (int)entry->code);
	bind_text(s, 8, entry->message);
	return finish(s);
}

static int write_own_entry(struct store_db *db, const struct store_revision *r, uint64_t now)
{
	struct store_audit entry = {
		.time = now,
		.caller = r->author,
		.source = r->source,
		.method = r->method,
		.resource = r->resource,
		.revision = r->number,
	};
	char message[96] = "";

	if (!r->method)
		return SQLITE_OK;
	if (r->number)
		snprintf(message, sizeof(message), "%u created, %u updated, %u deleted",
			 r->changes->created, r->changes->updated, r->changes->deleted);
	entry.message = message;
	return write_entry(db, &entry);
}

/* ---- transactions ---- */

int store_write(struct store_db *db, const struct store_revision *r, uint64_t now)
{
	const char *const text[4] = {r->author, r->source, r->method, r->comment};
	uint64_t content = db->content, chain = db->chain;
	int code;

	(void)((code = store_db_step(db, STORE_BEGIN)) ||
	       (r->number && (code = write_changes(db, r, &content))));
	if (code == SQLITE_OK && r->number) {
		chain = store_chain(chain, r->number, now / 1000, content, text);
		code = write_revision(db, r, now, content, chain);
	}
	if (code == SQLITE_OK)
		(void)((code = write_pending(db, r)) || (code = write_request(db, r, now)) ||
		       (code = write_own_entry(db, r, now)) ||
		       (code = store_db_step(db, STORE_COMMIT)));
	if (code != SQLITE_OK)
		return code;
	db->content = content;
	db->chain = chain;
	return SQLITE_OK;
}

int store_write_audit(struct store_db *db, const struct store_audit *entries, size_t n)
{
	int code = store_db_step(db, STORE_BEGIN);

	for (size_t i = 0; i < n && code == SQLITE_OK; i++)
		code = write_entry(db, &entries[i]);
	return code == SQLITE_OK ? store_db_step(db, STORE_COMMIT) : code;
}
