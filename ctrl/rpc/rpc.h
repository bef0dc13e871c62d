/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The API (proto/sluice/v1) on a unix socket.
 *
 *   unix_socket  the listening socket
 *   http_*       HTTP/1.1 by evhttp, bounded: requests in, answers out
 *   connect      the Connect protocol: which method, which format, errors
 *   decode       bytes to messages and back: wire_* and json_*, reflection in schema_*
 *   call         one call, its memory and deadline; knows no transport
 *   services     the table of methods; standard and others handle them
 */
#ifndef CTRL_RPC_RPC_H
#define CTRL_RPC_RPC_H

struct ctrl;
struct rpc;

/*
 * Serve ctrl on socket_path, mode 0660. A socket file that nobody serves is replaced. NULL
 * with errno, the reason logged: EADDRINUSE when somebody serves it, EEXIST when the
 * path is no socket.
 */
struct rpc *rpc_new(struct ctrl *ctrl, const char *socket_path);

/* Calls under way end without an answer. */
void rpc_free(struct rpc *rpc);

#endif
