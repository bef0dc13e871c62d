/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTRL_RPC_UNIX_SOCKET_H
#define CTRL_RPC_UNIX_SOCKET_H

#include <sys/types.h>

/*
 * A listening, non-blocking stream socket at `path` with that mode. The file of one that nobody
 * listens to any more is replaced. -EADDRINUSE: somebody does; -EEXIST: the
 * path is something else; -ENAMETOOLONG; -errno.
 */
int unix_socket_listen(const char *path, mode_t mode);

#endif
