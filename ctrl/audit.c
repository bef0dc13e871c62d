/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/audit.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAITING_MAX 1024

struct entries {
	struct store_audit list[WAITING_MAX];
	size_t n;
};

struct audit {
	struct background *background;
	struct store *store;
	struct background_task task;
	bool writing;
	struct entries *waiting; /* the loop's */
	struct entries *written; /* the thread's while `writing` */
	uint64_t lost;
};

/* The texts of an entry. */
static const char **text_of(struct store_audit *entry, size_t i)
{
	const char **all[] = {&entry->caller, &entry->source, &entry->method, &entry->resource,
			      &entry->message};

	return i < sizeof(all) / sizeof(all[0]) ? all[i] : NULL;
}

static void clear(struct entries *entries)
{
	const char **text;

	for (size_t i = 0; i < entries->n; i++)
		for (size_t t = 0; (text = text_of(&entries->list[i], t)); t++)
			free((char *)*text);
	entries->n = 0;
}

/* A text that there is no memory for is left out. */
static void copy(struct entries *entries, const struct store_audit *entry)
{
	struct store_audit *to = &entries->list[entries->n++];
	const char **text;

	*to = *entry;
	for (size_t t = 0; (text = text_of(to, t)); t++)
		*text = *text ? strdup(*text) : NULL;
}

static void confess(struct audit *audit)
{
	struct store_audit entry = {
		.time = (uint64_t)time(NULL) * 1000,
		.caller = "sluice",
		.method = "audit",
		.code = PROBLEM_RESOURCE_EXHAUSTED,
	};
	char text[64];

	if (!audit->lost)
		return;
	snprintf(text, sizeof(text), "%llu calls were too many to be recorded",
		 (unsigned long long)audit->lost);
	entry.message = text;
	audit->lost = 0;
	copy(audit->waiting, &entry);
}

static struct audit *audit_of(struct background_task *task)
{
	return (struct audit *)((char *)task - offsetof(struct audit, task));
}

static void work_write(struct background_task *task)
{
	const struct audit *audit = audit_of(task);

	store_audit(audit->store, audit->written->list, audit->written->n);
}

static void start(struct audit *audit)
{
	struct entries *waiting = audit->waiting;

	audit->waiting = audit->written;
	audit->written = waiting;
	audit->writing = true;
	background_run(audit->background, &audit->task);
}

static void on_written(struct background_task *task)
{
	struct audit *audit = audit_of(task);

	clear(audit->written);
	audit->writing = false;
	confess(audit);
	if (audit->waiting->n)
		start(audit);
}

void audit_add(struct audit *audit, const struct store_audit *entry)
{
	/* The last place is for the confession. */
	if (audit->waiting->n >= WAITING_MAX - 1) {
		audit->lost++;
		return;
	}
	copy(audit->waiting, entry);
	if (!audit->writing)
		start(audit);
}

struct audit *audit_new(struct background *background, struct store *store)
{
	struct audit *audit = calloc(1, sizeof(*audit));

	if (!audit)
		return NULL;
	audit->background = background;
	audit->store = store;
	audit->task.work = work_write;
	audit->task.done = on_written;
	audit->waiting = calloc(1, sizeof(*audit->waiting));
	audit->written = calloc(1, sizeof(*audit->written));
	if (audit->waiting && audit->written)
		return audit;
	free(audit->waiting);
	free(audit->written);
	free(audit);
	return NULL;
}

/* What the thread had may be written or not: rather twice than never. */
void audit_free(struct audit *audit)
{
	if (!audit)
		return;
	confess(audit);
	if (audit->written->n)
		store_audit(audit->store, audit->written->list, audit->written->n);
	if (audit->waiting->n)
		store_audit(audit->store, audit->waiting->list, audit->waiting->n);
	clear(audit->written);
	clear(audit->waiting);
	free(audit->written);
	free(audit->waiting);
	free(audit);
}
