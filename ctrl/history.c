/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/history.h"

#include <stdlib.h>

#include "ctrl/store_read.h"

struct history {
	struct background *background;
	sqlite3 *db;
};

struct history *history_new(struct event_base *base, const char *database, struct problem *why)
{
	struct history *history = calloc(1, sizeof(*history));

	problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	if (!history)
		return NULL;
	history->background = background_new(base);
	if (history->background)
		history->db = store_reader_open(database, why);
	if (history->db)
		return history;
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
