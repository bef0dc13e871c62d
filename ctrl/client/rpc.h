/* SPDX-License-Identifier: BSD-3-Clause */
/* One call of the API. */
#ifndef CLIENT_RPC_H
#define CLIENT_RPC_H

#include <stddef.h>

#include "ctrl/client/client.h"

#define RPC_PACKAGE "sluice.v1"

/* Why a call failed. */
struct rpc_failure {
	char code[32];      /* Connect's error code; empty when no answer came */
	char message[1024]; /* for a person */
};

/*
 * Call sluice.v1.`service`/`method` and wait for the answer, at most client->timeout_ms.
 * `request` is taken over. CLIENT_OK and *reply (the caller's), or another exit code and `why`.
 */
int rpc_call(const struct client *client, const char *service, const char *method, json_t *request,
	     json_t **reply, struct rpc_failure *why);

/* Takes a message of a stream, as its own; false: that was enough. */
typedef bool (*rpc_message_fn)(void *context, json_t *message);

/*
 * Call a method that answers with a stream, until that ends or the receiver has enough. There
 * is no deadline: nothing may happen for long. `request` is taken over. As rpc_call.
 */
int rpc_stream(const struct client *client, const char *service, const char *method,
	       json_t *request, rpc_message_fn take, void *context, struct rpc_failure *why);

/*
 * For stream.c: what went wrong in the transport (-errno), or is said by an answer that is not
 * 200, into `why`; returns the exit code.
 */
int rpc_fail_transport(struct rpc_failure *why, const struct client *client, int err);
int rpc_fail_answer(struct rpc_failure *why, const struct client *client, long status,
		    const char *body, size_t body_len);
/* An error of Connect, {"code": ..., "message": ...}; CLIENT_OK when it is none. */
int rpc_fail_error(struct rpc_failure *why, json_t *error);

/*
 * The failure on standard error, with what to do about it; `where` ("FILE:LINE: " or "") goes
 * before it. Returns `exit_code`.
 */
int rpc_complain(int exit_code, const char *where, const struct rpc_failure *why);

/* rpc_call, and rpc_complain when it fails. */
int rpc_call_or_complain(const struct client *client, const char *service, const char *method,
			 json_t *request, json_t **reply);

#endif
