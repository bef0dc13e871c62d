/* SPDX-License-Identifier: BSD-3-Clause */
/* A queued request: a copy of all that it says, packed while it waits. */
#ifndef CTRL_APPLY_JOB_H
#define CTRL_APPLY_JOB_H

#include <sys/queue.h>

#include "ctrl/apply.h"
#include "ctrl/background.h"
#include "ctrl/change.h"
#include "ctrl/store.h"

struct job {
	STAILQ_ENTRY(job) link;
	struct apply_request request; /* its message is there while it is resolved */
	size_t size;                  /* bytes kept while it waits */
	const ProtobufCMessageDescriptor *type;
	uint8_t *packed;
	size_t packed_len;
	apply_done_fn done;
	void *arg;
	/* Of the transaction. */
	struct apply *apply;
	struct background_task task; /* the one under way */
	struct change_set changes;
	struct store_revision revision;
	struct problem problem;
	uint8_t *response; /* made for a request with an id, or found for a repeated one */
	size_t response_len;
	bool repeated;  /* it was found */
	bool committed; /* the transaction is in the store */
};

/* NULL with *why; resource_exhausted when it takes more than `room` bytes. */
struct job *job_new(const struct apply_request *request, size_t room, struct problem *why);

/*
 * Unpack the message and find out what it means, into job->changes; or that it was carried out
 * already. Takes long when the message is large, and only reads the model and the store: for the
 * thread. -EINVAL with *why.
 */
int job_resolve(struct job *job, struct model *model, struct store *store, struct problem *why);

void job_free(struct job *job);

#endif
