/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing transactions to one database file: the store's own, or its copy. */
#ifndef CTRL_STORE_WRITE_H
#define CTRL_STORE_WRITE_H

#include <sqlite3.h>

#include "ctrl/store.h"

/* X(symbol, SQL): prepared once. */
#define STORE_STATEMENTS(X)                                                                    \
	X(BEGIN, "BEGIN IMMEDIATE")                                                            \
	X(COMMIT, "COMMIT")                                                                    \
	X(REVISION, "INSERT INTO revision (number, time, author, source, method, comment, "    \
		    "created, updated, deleted, content, chain) "                              \
		    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                   \
	X(GET, "SELECT message FROM resource WHERE kind = ?1 AND name = ?2")                   \
	X(PUT, "INSERT OR REPLACE INTO resource VALUES (?1, ?2, ?3, ?4)")                      \
	X(DELETE, "DELETE FROM resource WHERE kind = ?1 AND name = ?2")                        \
	X(LOG, "INSERT INTO revision_change VALUES (?1, ?2, ?3, ?4, ?5)")                      \
	X(IDENTITY, "INSERT OR REPLACE INTO identity VALUES (?1, ?2, ?3, ?4, ?5)")             \
	X(AUDIT, "INSERT INTO audit (time, caller, source, method, resource, revision, code, " \
		 "message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                           \
	X(PEND, "INSERT OR REPLACE INTO pending VALUES (1, ?1, ?2, ?3)")                       \
	X(SETTLE, "DELETE FROM pending")                                                       \
	X(REQUEST, "INSERT OR REPLACE INTO request (id, digest, time, response) "              \
		   "VALUES (?1, ?2, ?3, ?4)")                                                  \
	X(FIND_REQUEST, "SELECT digest, response FROM request WHERE id = ?1 AND time > ?2")    \
	X(FORGET_REQUESTS, "DELETE FROM request WHERE number <= "                              \
			   "(SELECT max(number) FROM request) - ?1 OR time <= ?2")             \
	X(FORGET_AUDIT, "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1")      \
	X(FORGET_REVISIONS, "DELETE FROM revision WHERE number < ?1")                          \
	X(FORGET_CHANGES, "DELETE FROM revision_change WHERE (revision, kind, name) IN "       \
			  "(SELECT revision, kind, name FROM revision_change "                 \
			  "WHERE revision < ?1 LIMIT ?2)")

enum store_statement {
#define X(symbol, sql) STORE_##symbol,
	STORE_STATEMENTS(X)
#undef X
		STORE_STATEMENT_MAX
};

#define STORE_REQUEST_KEPT_S (24 * 3600)

struct store_db {
	sqlite3 *db; /* NULL: not open */
	sqlite3_stmt *statement[STORE_STATEMENT_MAX];
	uint64_t content; /* of the resources that are in it */
	uint64_t chain;   /* of its last revision */
};

/* sqlite codes. */
int store_db_prepare(struct store_db *db);
void store_db_close(struct store_db *db);

/* Carry out a statement that answers nothing, and let go of what was bound. */
int store_db_step(struct store_db *db, enum store_statement statement);

/* A transaction each; `now` in milliseconds since 1970. After a failure: store_db_undo(). */
int store_write(struct store_db *db, const struct store_revision *revision, uint64_t now);
int store_write_audit(struct store_db *db, const struct store_audit *entries, size_t n);
void store_db_undo(struct store_db *db);

/* What revision.chain holds. */
uint64_t store_chain(uint64_t before, uint64_t number, uint64_t time, uint64_t content,
		     const char *const text[4]);

#endif
