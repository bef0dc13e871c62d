/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A change set: what a request means against the model, resource by resource, before and
 * after. It is tried by entering it into the model and leaving again, which costs what the
 * change costs; nothing is copied, and no reader runs in between.
 */
#ifndef CTRL_CHANGE_H
#define CTRL_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctrl/apply.h"
#include "ctrl/model.h"
#include "ctrl/past.h"

/* One resource. Owned by the model when it is there, by the set otherwise. */
struct change {
	struct resource *before; /* NULL: created */
	struct resource *after;  /* NULL: deleted */
};

struct change_set {
	struct model *model;
	struct change *list;
	size_t n, room;
	bool no_etags;    /* of the request */
	bool entered;     /* the model holds `after` */
	uint32_t created; /* what the list holds, counted */
	uint32_t updated;
	uint32_t deleted;
};

/*
 * What the request would change; resources that would stay the same are not in it. Etags are
 * compared. -EINVAL with *why; the set is to be freed in any case.
 */
int change_resolve(struct change_set *set, struct model *model, const struct apply_request *request,
		   struct problem *why);

/*
 * What it would take to make the model the same as a past configuration, whose resources are taken
 * out of *past. Otherwise as change_resolve.
 */
int change_resolve_past(struct change_set *set, struct model *model, struct past *past,
			const char *etag, struct problem *why);

/* Put the changes into the model: all, or none with *why. */
int change_enter(struct change_set *set, struct problem *why);

/* Take them out again. */
void change_leave(struct change_set *set);

/* They are committed as this revision, which is the model's now. */
void change_settle(struct change_set *set, uint64_t revision);

/* Frees the side that the model doesn't hold. */
void change_free(struct change_set *set);

#endif
