/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/tidy.h"

#include <stddef.h>
#include <stdlib.h>

struct tidy {
	struct background *background;
	struct store *store;
	struct background_task task;
	bool at_work;
	bool more; /* the thread says */
};

static struct tidy *tidy_of(struct background_task *task)
{
	return (struct tidy *)((char *)task - offsetof(struct tidy, task));
}

static void work(struct background_task *task)
{
	struct tidy *tidy = tidy_of(task);

	tidy->more = store_tidy(tidy->store);
}

static void on_done(struct background_task *task)
{
	struct tidy *tidy = tidy_of(task);

	tidy->at_work = tidy->more;
	if (tidy->at_work)
		background_run(tidy->background, &tidy->task);
}

void tidy_begin(struct tidy *tidy)
{
	if (tidy->at_work)
		return;
	tidy->at_work = true;
	background_run(tidy->background, &tidy->task);
}

struct tidy *tidy_new(struct background *background, struct store *store)
{
	struct tidy *tidy = calloc(1, sizeof(*tidy));

	if (!tidy)
		return NULL;
	tidy->background = background;
	tidy->store = store;
	tidy->task.large = true;
	tidy->task.work = work;
	tidy->task.done = on_done;
	return tidy;
}

void tidy_free(struct tidy *tidy)
{
	free(tidy);
}
