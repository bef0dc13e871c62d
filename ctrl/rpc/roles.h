/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may do what: grants of the boot configuration, by user, group or certificate. Who is
 * named by several has the highest of them; who is named by none has no role, but for root and
 * the daemon's own user on a unix socket, who could replace the daemon anyway: admin.
 */
#ifndef CTRL_RPC_ROLES_H
#define CTRL_RPC_ROLES_H

#include <stdint.h>

#include "ctrl/rpc/caller.h"

#define ROLE_GRANTS_MAX 64
#define ROLE_NOBODY     UINT32_MAX /* no user or group */

struct role_grant {
	enum caller_role role;
	uint32_t uid, gid;     /* ROLE_NOBODY: none */
	char certificate[256]; /* see tls_is_named(); empty: none */
};

struct roles {
	struct role_grant grant[ROLE_GRANTS_MAX];
	unsigned int n;
};

struct ssl_st;

/* Of who is at the other end of the socket; tls is NULL on a unix socket. */
enum caller_role roles_find(const struct roles *roles, const struct caller *caller, int fd,
			    struct ssl_st *tls);

#endif
