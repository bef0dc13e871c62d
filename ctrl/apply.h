/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one way in which the configuration changes. Requests are carried out one at a time, in
 * the order in which they came:
 *
 *   resolve   what the request means against the model as it is now; etags are compared; off
 *             the event loop
 *   check     the rules that concern more than one resource
 *   compile   into the half of the snapshot arena that nobody uses
 *   commit    the revision, durably; off the event loop
 *   publish   to the workers, and wait until each of them uses it
 *   answer
 *
 * What fails before the commit has changed nothing. What fails after it (a worker does not
 * acknowledge in time) is deadline_exceeded with the new revision, which stands.
 */
#ifndef CTRL_APPLY_H
#define CTRL_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctrl/problem.h"
#include "ctrl/resource.h"

struct apply;
struct ctrl;

enum apply_op {
	APPLY_CREATE,  /* already_exists when there is one */
	APPLY_UPDATE,  /* replaces; not_found when there is none */
	APPLY_DELETE,  /* not_found when there is none */
	APPLY_CONFIG,  /* message is the whole Config; what it does not name is deleted */
	APPLY_NOTHING, /* no change, but what workers use must be this revision: at start */
};

/*
 * A request. The message's own etag field, when not empty, is what the resource's must be
 * (aborted otherwise). Creating, updating or deleting a BackendPool concerns its backends too.
 * All is copied by apply_submit.
 */
struct apply_request {
	enum apply_op op;
	enum resource_kind kind; /* not for CONFIG */
	const char *pool;        /* of a backend: the pool's name */
	const char *name;        /* DELETE: of the resource (a backend's own, without pool) */
	const char *etag;        /* DELETE: NULL or "" when it doesn't matter */
	const ProtobufCMessage *message; /* CREATE, UPDATE: the resource; CONFIG: Config */
	bool validate_only;              /* stop before the commit */
	const char *author;              /* kept with the revision; NULL: none */
	const char *comment;
};

struct apply_result {
	struct problem problem; /* code PROBLEM_NONE: done */
	uint64_t revision;      /* of the model now */
	uint32_t created;       /* resources; backends count each */
	uint32_t updated;
	uint32_t deleted;
};

/*
 * Called once for each accepted request, never from within apply_submit. While it runs the
 * model is as the request leaves it, also when it was validate_only: a handler reads its
 * answer there, and keeps no pointer into it.
 */
typedef void (*apply_done_fn)(void *arg, const struct apply_result *result);

/*
 * Queue a request. 0, or -EINVAL with *why filled and `done` never called: unavailable when
 * too many wait, resource_exhausted when the message is too large to keep.
 */
int apply_submit(struct apply *apply, const struct apply_request *request, apply_done_fn done,
		 void *arg, struct problem *why);

/* ---- for the daemon's main ---- */

struct store;

/*
 * ctrl's base, root, model and primary are set. Also compares what the workers use with the
 * model, and publishes it when they differ. NULL with errno.
 */
struct apply *apply_new(struct ctrl *ctrl, struct store *store);

/* Requests that wait or are under way are answered unavailable; a commit under way is finished. */
void apply_free(struct apply *apply);

#endif
