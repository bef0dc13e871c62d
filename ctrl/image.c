/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/image.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "ctrl/store_check.h"
#include "ctrl/store_schema.h"

/* "File format version" in the header (sqlite.org/fileformat.html, 1.3): 2 asks for a WAL. */
#define HEADER_SIZE   100
#define WRITE_VERSION 18
#define READ_VERSION  19

static int fail(sqlite3 *db, struct problem *why)
{
	return problem_set(why, PROBLEM_INTERNAL, "the backup: %s",
			   db ? sqlite3_errmsg(db) : "out of memory");
}

/* What restoring does not need. The last revision stays, with the hash to check the rest by. */
static int strip(sqlite3 *db)
{
	return sqlite3_exec(db,
			    "DELETE FROM revision_change; DELETE FROM audit; DELETE FROM request;"
			    "DELETE FROM pending; DELETE FROM revision WHERE number < "
			    "(SELECT max(number) FROM revision); VACUUM",
			    NULL, NULL, NULL);
}

static int copy(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int code = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;

	sqlite3_backup_finish(backup);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static uint64_t last_revision(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	uint64_t number = 0;

	if (sqlite3_prepare_v2(db, "SELECT max(number) FROM revision", -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		number = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return number;
}

int image_make(sqlite3 *db, bool history, uint8_t **image, size_t *len, uint64_t *revision,
	       struct problem *why)
{
	sqlite3_int64 size = 0;
	sqlite3 *memory = NULL;
	int rc = 0;

	*image = NULL;
	if (sqlite3_open(":memory:", &memory) != SQLITE_OK || copy(db, memory) != SQLITE_OK ||
	    (!history && strip(memory) != SQLITE_OK))
		rc = fail(memory, why);
	if (!rc) {
		*revision = last_revision(memory);
		*image = sqlite3_serialize(memory, "main", &size, 0);
		rc = *image ? 0 : fail(NULL, why);
	}
	sqlite3_close(memory);
	if (rc)
		return rc;
	*len = (size_t)size;
	(*image)[WRITE_VERSION] = (*image)[READ_VERSION] = 1;
	return 0;
}

void image_free(uint8_t *image)
{
	sqlite3_free(image);
}

/* The header says what it is; it is not to ask for a WAL. */
static bool fix_header(uint8_t header[HEADER_SIZE])
{
	header[WRITE_VERSION] = header[READ_VERSION] = 1;
	return memcmp(header, "SQLite format 3", 16) == 0;
}

/* sqlite takes the bytes, also when it fails, and may write to them: migrations do. */
static int open_image(sqlite3 *db, const uint8_t *image, size_t len)
{
	uint8_t *bytes = sqlite3_malloc64(len);

	if (!bytes)
		return SQLITE_NOMEM;
	memcpy(bytes, image, len);
	fix_header(bytes);
	return sqlite3_deserialize(db, "main", bytes, (sqlite3_int64)len, (sqlite3_int64)len,
				   SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
}

/* Reads an open database, and closes it. */
static int read_database(sqlite3 *db, struct past *past, struct problem *why)
{
	struct store_db store = {.db = db};
	int rc = store_schema_adopt(db, "database", why);

	if (!rc)
		rc = store_check(&store, why);
	if (!rc)
		rc = past_read(db, 0, past, why);
	/* Damage is the caller's, not the store's. */
	if (rc && why->code == PROBLEM_DATA_LOSS)
		why->code = PROBLEM_INVALID_ARGUMENT;
	sqlite3_close(db);
	return rc;
}

static int no_backup(struct problem *why)
{
	return problem_set(why, PROBLEM_INVALID_ARGUMENT, "database: is no backup");
}

int image_read(const uint8_t *image, size_t len, struct past *past, struct problem *why)
{
	uint8_t header[HEADER_SIZE];
	sqlite3 *db = NULL;
	int rc;

	*past = (struct past){0};
	if (len < sizeof(header))
		return no_backup(why);
	memcpy(header, image, sizeof(header));
	if (!fix_header(header))
		return no_backup(why);
	if (sqlite3_open(":memory:", &db) == SQLITE_OK && open_image(db, image, len) == SQLITE_OK)
		return read_database(db, past, why);
	rc = fail(db, why);
	sqlite3_close(db);
	return rc;
}

/* Nobody else has the file, and it is thrown away: no journal. */
int image_read_file(const char *path, struct past *past, struct problem *why)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), rc;
	uint8_t header[HEADER_SIZE];
	sqlite3 *db = NULL;
	bool good;

	*past = (struct past){0};
	good = fd >= 0 && pread(fd, header, sizeof(header), 0) == sizeof(header) &&
	       fix_header(header) && pwrite(fd, header, sizeof(header), 0) == sizeof(header);
	if (fd >= 0)
		close(fd);
	if (!good)
		return no_backup(why);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		/* Of a damaged one this fails, too; what is wrong with it is told by its check. */
		sqlite3_exec(db, "PRAGMA journal_mode = OFF", NULL, NULL, NULL);
		return read_database(db, past, why);
	}
	rc = fail(db, why);
	sqlite3_close(db);
	return rc;
}
