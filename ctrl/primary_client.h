/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests to the primary over its socket (primary_rpc.h), without blocking: each has a
 * connection of its own and a deadline, so a primary that was restarted or hangs
 * costs the request and nothing else.
 */
#ifndef CTRL_PRIMARY_CLIENT_H
#define CTRL_PRIMARY_CLIENT_H

#include <stdint.h>

#include <sluice/primary_rpc.h>

struct event_base;
struct primary_client;

/* NULL with errno. */
struct primary_client *primary_client_new(struct event_base *base, const char *runtime_dir);

/* Requests under way are dropped; their `done` is not called. */
void primary_client_free(struct primary_client *client);

/*
 * status: 0, or -errno with a sentence in `text`: the primary's own, -ETIMEDOUT when it did not
 * answer in time, what connect() said when it is not there.
 */
typedef void (*primary_done_fn)(void *arg, int status, const char *text);

/*
 * Ask, for instance (SL_PRIMARY_RESTART_WORKER, worker id). `done` is called once, never from
 * within this call. 0; -ENOMEM, and `done` is not called.
 */
int primary_request(struct primary_client *client, enum sl_primary_op op, uint32_t argument,
		    unsigned int timeout_ms, primary_done_fn done, void *arg);

#endif
