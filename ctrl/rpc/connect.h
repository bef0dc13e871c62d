/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Connect protocol's unary calls (connectrpc.com, "Connect protocol reference") over the
 * HTTP server: POST /<package>.<Service>/<Method> with application/proto or application/json.
 */
#ifndef CTRL_RPC_CONNECT_H
#define CTRL_RPC_CONNECT_H

#include <sys/queue.h>

#include "ctrl/background.h"
#include "ctrl/ctrl.h"
#include "ctrl/rpc/arena.h"
#include "ctrl/rpc/http.h"

struct connect {
	const struct ctrl *ctrl;
	struct rpc_budget *budget;
	size_t arena_limit;              /* bytes for one call's messages */
	struct background *background;   /* decodes what is large */
	LIST_HEAD(, decoding) decodings; /* there */
};

/* Free what was being decoded; the server and the thread have ended. */
void connect_end(struct connect *connect);

/* A handler for http_server_new(); `connect` must outlive the server. */
struct http_handler connect_handler(struct connect *connect);

#endif
