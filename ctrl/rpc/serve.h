/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From an HTTP request to a call and back: which method, in which protocol and format, by whom;
 * the request's messages decoded, the large ones on a thread; the answer's encoded.
 */
#ifndef CTRL_RPC_SERVE_H
#define CTRL_RPC_SERVE_H

#include <sys/queue.h>

#include "ctrl/background.h"
#include "ctrl/ctrl.h"
#include "ctrl/rpc/arena.h"
#include "ctrl/rpc/http.h"

#define SERVE_MESSAGE_MAX (16 * 1024 * 1024) /* bytes of a request's message */

struct serve {
	const struct ctrl *ctrl;
	struct rpc_budget *budget;
	size_t arena_limit;            /* bytes for one call's messages */
	struct background *background; /* decodes what is large */
	LIST_HEAD(, serving) servings;
};

/* Free what was being decoded; the server and the thread have ended. */
void serve_end(struct serve *serve);

/* A request of http_handler's; calls of methods only. */
void serve_request(struct serve *serve, struct http_exchange *x);

#endif
