/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTRL_RPC_TCP_SOCKET_H
#define CTRL_RPC_TCP_SOCKET_H

/*
 * A listening, non-blocking socket at "192.0.2.1:8443" or "[2001:db8::1]:8443". -EINVAL: not such
 * an address; -EADDRINUSE; -errno.
 */
int tcp_socket_listen(const char *address);

#endif
