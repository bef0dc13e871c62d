/* SPDX-License-Identifier: BSD-3-Clause */
/* All resources of a configuration that is not the model's: a past revision's, or a proposed one.
 */
#ifndef CTRL_PAST_H
#define CTRL_PAST_H

#include "ctrl/model.h"

struct sqlite3;

/* Sorted by kind and name; owned by the list, but for those that were taken out (NULL). */
struct past {
	struct resource **list;
	size_t n, room;
	uint64_t revision;
};

/* As stored after a revision; 0: the last one. -EINVAL with *why; to be freed in any case. */
int past_read(struct sqlite3 *db, uint64_t revision, struct past *past, struct problem *why);

/*
 * As a Config message says. With `base`, which stays as it is, what the message does not
 * name is as there (ApplyConfig without prune).
 */
int past_from_config(const ProtobufCMessage *config, const struct past *base, struct past *past,
		     struct problem *why);

void past_free(struct past *past);

#endif
