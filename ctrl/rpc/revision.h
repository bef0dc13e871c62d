/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers that are read back from the store, off the event loop. */
#ifndef CTRL_RPC_REVISION_H
#define CTRL_RPC_REVISION_H

#include "ctrl/rpc/call.h"
#include "ctrl/past.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "sluice/v1/config.pb-c.h"

/* Answer GetConfig of a revision that is not the current one. */
void revision_get(struct rpc_call *call);

/* Seconds since 1970; NULL for 0, or when memory is used up. */
Google__Protobuf__Timestamp *revision_time(struct rpc_call *call, uint64_t seconds);

/*
 * Read in the background, then end the call. `read` runs on the thread: it may use the call's
 * memory and request, and returns the response; NULL: *why says why, or memory is used up. What the
 * response shares with `keep` lives until it is encoded.
 */
struct revision_read {
	struct sqlite3 *db;
	struct past *keep[2]; /* to be freed when the call has ended */
	uint8_t *image;       /* the same: of image_make */
	/* Instead of replying: go on with the response on the event loop. NULL: reply. */
	void (*then)(struct rpc_call *call, ProtobufCMessage *response);
	struct problem why;
};

typedef ProtobufCMessage *(*revision_read_fn)(struct rpc_call *call, struct revision_read *read);

void revision_run(struct rpc_call *call, revision_read_fn read);

/* A Config message of it, which shares its messages. NULL: memory is used up. */
Sluice__V1__Config *revision_config(struct rpc_call *call, const struct past *past);

#endif
