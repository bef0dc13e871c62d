/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The API (proto/sluice/v1) on a unix socket and, with certificates on both sides, on TCP.
 *
 *   unix_socket, tcp_socket  the listening sockets; tls
 *   http_*                   HTTP/1.1 and HTTP/2, bounded: requests in, answers out
 *   serve                    which method, which protocol, which format; by whom: roles
 *   serving                  the messages of a call, in and out
 *   connect, grpc, envelope  the protocols
 *   decode                   bytes to messages and back: wire_* and json_*, reflection in schema_*
 *   call                     one call, its memory and deadline; knows no transport
 *   metrics_*, scrape        GET /metrics for Prometheus
 *   services                 the table of methods; standard and others handle them
 */
#ifndef CTRL_RPC_RPC_H
#define CTRL_RPC_RPC_H

#include <limits.h>

#include "ctrl/rpc/http.h"
#include "ctrl/rpc/roles.h"

#define RPC_LISTEN_MAX 8

struct ctrl;
struct rpc;

struct rpc_config {
	char socket[PATH_MAX];
	char listen[RPC_LISTEN_MAX][64]; /* "192.0.2.1:8443", "[::]:8443" */
	unsigned int n_listen;
	char certificate[PATH_MAX]; /* PEM files; needed with `listen` */
	char key[PATH_MAX];
	char client_ca[PATH_MAX];
	struct roles roles;
	struct http_limits limits;
	unsigned int metrics_series; /* lines of /metrics, at most */
};

/* What holds where the boot configuration says nothing. */
void rpc_config_init(struct rpc_config *config);

/*
 * An API of ctrl: the socket with mode 0660; a file of one that nobody serves is replaced. `config`
 * is copied. Who connects before rpc_serve waits. NULL with errno, the reason logged: EADDRINUSE
 * when somebody serves it, EEXIST when the path is no socket.
 */
struct rpc *rpc_new(struct ctrl *ctrl, const struct rpc_config *config);

void rpc_serve(struct rpc *rpc);

/* Calls under way end without an answer. */
void rpc_free(struct rpc *rpc);

#endif
