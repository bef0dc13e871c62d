/* SPDX-License-Identifier: BSD-3-Clause */
/* Entering a change set into the model, leaving, settling. */
#include "ctrl/change.h"

#include <errno.h>
#include <stdlib.h>

#include <sluice/shm.h>
#include <sluice/snapshot.h>

static int no_room(const struct model *model, const struct resource *r, int rc, struct problem *why)
{
	char path[RESOURCE_PATH_SIZE];
	struct model_id id;
	size_t n = 0;

	resource_path(r->kind, r->name, path);
	while (model_nth_id(r, n, &id) && *id.ref != SL_REF_NONE)
		n++; /* those that it got */
	if (rc != -ENOSPC || !model_nth_id(r, n, &id))
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "%s: out of memory", path);
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED,
			   "%s: over the limit of the boot configuration, limits: %s: %u", path,
			   ids_limit_names[id.class], ids_capacity(model->ids[id.class]));
}

/* Of the first n changes: take the updates, or the created ones, out of the model. */
static void remove_after(struct change_set *set, size_t n, bool updates)
{
	for (size_t i = 0; i < n; i++)
		if (set->list[i].after && updates == (set->list[i].before != NULL))
			model_remove(set->model, set->list[i].after);
}

/* What was there was settled with its ids, which are free again: this can't fail but for memory. */
static void restore_before(struct change_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].before)
			model_insert(set->model, set->list[i].before);
}

/* Updates first: they have ids, which a created resource could be given otherwise. */
static int insert_after(struct change_set *set, bool updates, size_t *done, struct problem *why)
{
	for (*done = 0; *done < set->n; (*done)++) {
		struct change *c = &set->list[*done];
		int rc;

		if (!c->after || updates != (c->before != NULL))
			continue;
		rc = model_insert(set->model, c->after);
		if (rc)
			return no_room(set->model, c->after, rc, why);
	}
	return 0;
}

int change_enter(struct change_set *set, struct problem *why)
{
	size_t updated, created = 0;

	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].before)
			model_remove(set->model, set->list[i].before);
	if (!insert_after(set, true, &updated, why) && !insert_after(set, false, &created, why)) {
		set->entered = true;
		return 0;
	}
	remove_after(set, created, false);
	remove_after(set, updated, true);
	restore_before(set);
	return -EINVAL;
}

void change_leave(struct change_set *set)
{
	remove_after(set, set->n, false);
	remove_after(set, set->n, true);
	restore_before(set);
	set->entered = false;
}

void change_settle(struct change_set *set, uint64_t revision)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->list[i].after)
			model_settle(set->model, set->list[i].after, revision);
	set->model->revision = revision;
}

void change_free(struct change_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		resource_free(set->entered ? set->list[i].before : set->list[i].after);
	free(set->list);
	*set = (struct change_set){0};
}
