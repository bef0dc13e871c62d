/* SPDX-License-Identifier: BSD-3-Clause */
/* One call of the API. */
#ifndef CLIENT_RPC_H
#define CLIENT_RPC_H

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

/*
 * The failure on standard error, with what to do about it; `where` ("FILE:LINE: " or "") goes
 * before it. Returns `exit_code`.
 */
int rpc_complain(int exit_code, const char *where, const struct rpc_failure *why);

/* rpc_call, and rpc_complain when it fails. */
int rpc_call_or_complain(const struct client *client, const char *service, const char *method,
			 json_t *request, json_t **reply);

#endif
