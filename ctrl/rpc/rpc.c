/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/log.h>

#include "ctrl/rpc/connect.h"
#include "ctrl/rpc/services.h"
#include "ctrl/rpc/unix_socket.h"

SL_LOG_TYPE(rpc_log, "sluice.ctrl.rpc");

#define MIB         (1024 * 1024)

#define ARENA_LIMIT (128 * (size_t)MIB) /* of one call's messages */

/*
 * What requests may hold at a time: bodies that arrive, messages decoded. Of the process rather
 * than of one struct rpc, because a call that a handler still holds outlives that.
 */
static struct rpc_budget budget = {.left = 256 * (size_t)MIB};

static const struct http_limits limits = {
	.connections = 64,
	.head = 16384,
	.body = 16 * MIB,
	.idle = 60,
	.request = 30,
	.reply = 30,
};

struct rpc {
	struct connect connect;
	struct http_server *server;
	char *path;
};

static struct http_server *serve(struct rpc *rpc, struct ctrl *ctrl)
{
	struct http_handler handler = connect_handler(&rpc->connect);
	int fd = unix_socket_listen(rpc->path, 0660);

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	return http_server_new(ctrl->base, fd, &limits, &budget, &handler);
}

struct rpc *rpc_new(struct ctrl *ctrl, const char *socket_path)
{
	const char *unfit = rpc_services_unfit();
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	int error;

	if (unfit) {
		sl_log(rpc_log, ERR, "the API: %s", unfit);
		errno = EPROTO;
		goto fail;
	}
	if (!rpc) {
		sl_log(rpc_log, ERR, "the API: out of memory");
		goto fail;
	}
	rpc->connect = (struct connect){
		.ctrl = ctrl,
		.budget = &budget,
		.arena_limit = ARENA_LIMIT,
		.background = background_new(ctrl->base),
	};
	rpc->path = strdup(socket_path);
	if (rpc->path && rpc->connect.background)
		rpc->server = serve(rpc, ctrl);
	if (!rpc->server) {
		sl_log(rpc_log, ERR, "socket %s: %s", socket_path, strerror(errno));
		goto fail;
	}
	return rpc;

fail:
	error = errno;
	if (rpc) {
		background_free(rpc->connect.background);
		free(rpc->path);
	}
	free(rpc);
	errno = error;
	return NULL;
}

void rpc_free(struct rpc *rpc)
{
	if (!rpc)
		return;
	http_server_free(rpc->server);
	background_free(rpc->connect.background);
	connect_end(&rpc->connect);
	unlink(rpc->path);
	free(rpc->path);
	free(rpc);
}
