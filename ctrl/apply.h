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
struct change_set;
struct ctrl;
struct store_audit;

enum apply_op {
	APPLY_CREATE, /* already_exists when there is one */
	APPLY_UPDATE, /* replaces, or what `mask` names; not_found when there is none */
	APPLY_DELETE, /* not_found when there is none */
	APPLY_CONFIG, /* message is a Config; what it does not name is deleted, or stays: `merge` */
	APPLY_ROLLBACK, /* all as it was after `revision`, as a new revision */
	APPLY_CONFIRM,  /* the pending revision, which must be `revision`, stays */
	APPLY_NOTHING,  /* no change, but what workers use must be this revision: at start */
};

struct apply_result;

/*
 * Make the response that is kept for a request that may be sent again, before it is committed, with
 * the model as the request leaves it. To be freed. NULL: no memory.
 */
typedef uint8_t *(*apply_respond_fn)(void *arg, const struct apply_result *result, size_t *len);

/*
 * A request. The message's own etag field, when not empty, is what the resource's must be
 * (aborted otherwise). Creating, updating or deleting a BackendPool concerns its backends too.
 * All is copied by apply_submit.
 */
struct apply_request {
	enum apply_op op;
	enum resource_kind kind; /* CREATE, UPDATE, DELETE */
	const char *pool;        /* of a backend: the pool's name */
	const char *name;        /* DELETE: of the resource (a backend's own, without pool) */
	const char *etag; /* DELETE, ROLLBACK (of the whole): NULL or "" when it doesn't matter */
	const char *mask; /* UPDATE: names of fields between commas; NULL: all */
	const ProtobufCMessage *message; /* CREATE, UPDATE: the resource; CONFIG: Config */
	uint64_t revision;               /* ROLLBACK, CONFIRM */
	uint64_t unconfirmed; /* ROLLBACK: only while this one waits for its confirmation; or 0 */
	bool merge;           /* CONFIG */
	bool no_etags;        /* CONFIG: those in the message are not compared */
	bool validate_only;   /* stop before the commit */
	/* CONFIG, ROLLBACK: go back unless confirmed within so many seconds; 0: stay. */
	uint32_t confirm_s;
	/* Kept with the revision and in the audit log; NULL: none. */
	const char *author;
	const char *source;   /* where from */
	const char *method;   /* NULL: no audit entry */
	const char *resource; /* what it is about, for a person */
	const char *comment;
	/*
	 * A request that may be sent again: when one of that id was carried out, its response is
	 * the result, and nothing else happens. The digest tells another request with that id.
	 */
	const char *request_id; /* NULL or "": not to be repeated */
	uint64_t request_digest;
	apply_respond_fn respond; /* of a request with an id */
};

struct apply_result {
	struct problem problem; /* code PROBLEM_NONE: done */
	uint64_t revision;      /* of the model now; while `respond` runs, of the one to come */
	uint32_t created;       /* resources; backends count each */
	uint32_t updated;
	uint32_t deleted;
	const struct change_set *changes; /* what they are; of an error, none */
	uint64_t confirm_by;              /* seconds since 1970; 0: it need not be confirmed */
	/* Of a repeated request: what its first one was answered. */
	const uint8_t *response;
	size_t response_len;
	bool recorded; /* the audit log has it, with the revision */
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

/* Write down a call that no revision came of; entry->time is set. Later, and not surely. */
void apply_audit(struct apply *apply, const struct store_audit *entry);

/* ---- for the daemon's main ---- */

struct store;

/*
 * ctrl's base, root, model and primary are set. Also compares what the workers use with the
 * model, and publishes it when they differ: a predecessor may have been killed between the
 * two. NULL with errno.
 */
struct apply *apply_new(struct ctrl *ctrl, struct store *store);

/*
 * Have `then` called once, when the workers use the model or the log says why they don't; at once
 * when that is so. Not after apply_free.
 */
void apply_when_caught_up(struct apply *apply, void (*then)(void *arg), void *arg);

/* Requests that wait or are under way are answered unavailable; a commit under way is finished. */
void apply_free(struct apply *apply);

#endif
