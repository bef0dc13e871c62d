/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a change set comes about. Whatever replaces more than one resource (a pool with its backends,
 * the whole configuration) is a merge of two sorted sequences: the new resources and those of the
 * model. Equal names are an update, or nothing; what is only in the model is deleted.
 */
#ifndef CTRL_CHANGE_MERGE_H
#define CTRL_CHANGE_MERGE_H

#include "ctrl/change.h"

/* New resources, to be sorted by name. Owned until the merge takes them. */
struct change_batch {
	struct resource **list;
	size_t n, room;
};

/* -ENOMEM: it is still the caller's. */
int change_batch_add(struct change_batch *batch, struct resource *resource);
void change_batch_free(struct change_batch *batch);

/* Sort it. -EINVAL with *why: a name is there twice. */
int change_batch_sort(struct change_batch *batch, struct problem *why);

/* One change. Takes `after`, also when it fails or nothing changes. */
int change_add(struct change_set *set, const struct resource *before, struct resource *after,
	       struct problem *why);

/*
 * Sort the batch and merge it with the model's resources from `old` on: all of the kind, or one
 * pool's backends.
 */
int change_merge(struct change_set *set, struct change_batch *batch, const struct resource *old,
		 const char *pool, struct problem *why);

#endif
