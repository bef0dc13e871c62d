/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration to snapshot. A function of the model (with the root's ports and limits) and of the
 * snapshot before alone: the same configuration makes the same bytes, whatever was compiled before.
 */
#ifndef CTRL_COMPILE_H
#define CTRL_COMPILE_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/snapshot.h>

#include "ctrl/model.h"

/* What is kept from one compilation of a model to the next, so that a small change is quick. */
struct compiler;

/* NULL with errno. */
struct compiler *compiler_new(const struct model *model);
void compiler_free(struct compiler *compiler);

struct compile_target {
	struct sl_snapshot *out;
	size_t room; /* bytes; the limit that the boot configuration sets */
	uint64_t generation;
	uint64_t revision;
	const struct sl_snapshot *previous; /* published before; NULL: none. For route_epoch */
};

/* Check the whole and write it. -EINVAL with *why, and what is in `out` is undefined. */
int compile(struct compiler *compiler, const struct compile_target *target, struct problem *why);

/*
 * What was compiled last, with success, has left the model and entered it again: the next
 * compilation need not look at it.
 */
void compile_keep(struct compiler *compiler);

/* Do two snapshots say the same, whatever their generation? */
bool compile_same(const struct sl_snapshot *a, const struct sl_snapshot *b);

#endif
