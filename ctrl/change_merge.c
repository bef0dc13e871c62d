/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/change_merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sluice/v1/interface.pb-c.h"

static int no_memory(struct problem *why)
{
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
}

int change_batch_add(struct change_batch *batch, struct resource *r)
{
	if (batch->n == batch->room) {
		size_t room = batch->room ? 2 * batch->room : 16;
		void *list = realloc(batch->list, room * sizeof(*batch->list));

		if (!list)
			return -ENOMEM;
		batch->list = list;
		batch->room = room;
	}
	batch->list[batch->n++] = r;
	return 0;
}

void change_batch_free(struct change_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		resource_free(batch->list[i]);
	free(batch->list);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct resource *const *)a)->name, (*(struct resource *const *)b)->name);
}

/* How many from the first on have names that rise. */
static size_t batch_rising(const struct change_batch *batch)
{
	size_t i = 1;

	while (i < batch->n && by_name(&batch->list[i - 1], &batch->list[i]) < 0)
		i++;
	return i;
}

/* Most that are written by a program are sorted already. */
int change_batch_sort(struct change_batch *batch, struct problem *why)
{
	char path[RESOURCE_PATH_SIZE];
	const struct resource *r;
	size_t rising;

	if (batch_rising(batch) >= batch->n)
		return 0;
	qsort(batch->list, batch->n, sizeof(*batch->list), by_name);
	rising = batch_rising(batch);
	if (rising >= batch->n)
		return 0;
	r = batch->list[rising];
	return problem_set(why, PROBLEM_INVALID_ARGUMENT, "%s: is there twice",
			   resource_path(r->kind, r->name, path));
}

/* ---- the list of changes ---- */

static bool same(const struct resource *a, const struct resource *b)
{
	return a->packed_len == b->packed_len && !memcmp(a->packed, b->packed, a->packed_len);
}

/* An update keeps the ids of what it keeps. */
static void inherit_ids(const struct model *model, struct resource *after,
			const struct resource *before)
{
	after->ref = before->ref;
	if (after->kind == RESOURCE_SNAT_POLICY)
		after->snat.outside = before->snat.outside;
	if (after->kind != RESOURCE_LOCAL_ADDRESS_POOL ||
	    after->local.n > ids_capacity(model->ids[IDS_LOCAL_ADDRESS]))
		return; /* nothing to keep, or refused anyhow */
	for (size_t i = 0; i < after->local.n; i++)
		for (size_t j = 0; j < before->local.n; j++)
			if (sl_addr_equal(&after->local.addr[i], &before->local.addr[j]))
				after->local.ref[i] = before->local.ref[j];
}

int change_add(struct change_set *set, const struct resource *before, struct resource *after,
	       struct problem *why)
{
	if (before && after && same(before, after)) {
		resource_free(after);
		return 0;
	}
	if (set->n == set->room) {
		size_t room = set->room ? 2 * set->room : 16;
		void *list = realloc(set->list, room * sizeof(*set->list));

		if (!list) {
			resource_free(after);
			return no_memory(why);
		}
		set->list = list;
		set->room = room;
	}
	if (before && after)
		inherit_ids(set->model, after, before);
	set->list[set->n++] = (struct change){(struct resource *)before, after};
	*(!before ? &set->created : after ? &set->updated : &set->deleted) += 1;
	return 0;
}

/* An interface is there as long as its port: without configuration it has no addresses. */
static int remove_or_clear(struct change_set *set, const struct resource *before,
			   struct problem *why)
{
	const struct sl_root *root = set->model->root;

	for (unsigned int i = 0; before->kind == RESOURCE_INTERFACE && i < root->n_ports; i++) {
		Sluice__V1__Interface empty = SLUICE__V1__INTERFACE__INIT;
		struct resource *after;

		if (strcmp(root->port[i].name, before->name))
			continue;
		empty.name = before->name;
		after = resource_new(RESOURCE_INTERFACE, NULL, &empty.base, why);
		return after ? change_add(set, before, after, why) : -EINVAL;
	}
	return change_add(set, before, NULL, why);
}

int change_merge(struct change_set *set, struct change_batch *batch, const struct resource *old,
		 const char *pool, struct problem *why)
{
	int rc = change_batch_sort(batch, why);

	for (size_t i = 0; !rc && (old || i < batch->n);) {
		const struct resource *now = old;
		struct resource *new = i < batch->n ? batch->list[i] : NULL;
		int order = !old ? 1 : !new ? -1 : strcmp(old->name, new->name);

		if (order <= 0)
			old = pool ? model_next_backend(old) : model_next(old);
		if (order >= 0)
			batch->list[i++] = NULL;
		if (order < 0)
			rc = remove_or_clear(set, now, why);
		else
			rc = change_add(set, order == 0 ? now : NULL, new, why);
	}
	return rc;
}
