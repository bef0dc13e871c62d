/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/history.h"

#include <stdlib.h>

#include "ctrl/store_read.h"
#include "ctrl/upload.h"

struct history {
	struct background *background;
	sqlite3 *db;
	struct upload *upload;
};

struct history *history_new(struct event_base *base, const char *database, struct problem *why)
{
	struct history *history = calloc(1, sizeof(*history));

	problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	if (!history)
		return NULL;
	history->background = background_new(base);
	history->upload = upload_new(database);
	if (history->background && history->upload)
		history->db = store_reader_open(database, why);
	if (history->db)
		return history;
	upload_free(history->upload);
	background_free(history->background);
	free(history);
	return NULL;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	background_free(history->background);
	sqlite3_close(history->db);
	upload_free(history->upload);
	free(history);
}

void history_run(struct history *history, struct background_task *task)
{
	background_run(history->background, task);
}

sqlite3 *history_database(struct history *history)
{
	return history->db;
}

struct upload *history_upload(struct history *history)
{
	return history->upload;
}
