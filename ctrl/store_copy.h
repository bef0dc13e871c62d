/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The copy of the database, which takes its place when that is damaged. Each transaction is carried
 * out on it, too, without waiting for the disk; what is large goes to it by pages, some at a time.
 * One that cannot be written is given up until the next start.
 */
#ifndef CTRL_STORE_COPY_H
#define CTRL_STORE_COPY_H

#include <stdbool.h>

#include "ctrl/store_write.h"

struct store_copy {
	char *path;
	struct store_db db;     /* not open when it could not be written */
	bool behind;            /* store_copy_catch_up makes it anew, */
	sqlite3_backup *backup; /* which is under way */
};

/* Open it; when it is not the file's, make it from that. */
void store_copy_open(struct store_copy *copy, struct store_db *file);
void store_copy_close(struct store_copy *copy);

/* It is made again at the next start. */
void store_copy_lose(struct store_copy *copy, const char *why);

/* A transaction that the file has had. */
void store_copy_write(struct store_copy *copy, const struct store_revision *revision, uint64_t now);
void store_copy_write_audit(struct store_copy *copy, const struct store_audit *entries, size_t n);

/* Copy so many pages of what it is behind. Is it still? */
bool store_copy_catch_up(struct store_copy *copy, struct store_db *file, int pages);

#endif
