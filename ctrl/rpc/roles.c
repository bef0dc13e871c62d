/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/roles.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/rpc/tls.h"

#define GROUPS_MAX 256

static bool is_member(const struct caller *caller, int fd, uint32_t gid)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (caller->gid == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool fits(const struct role_grant *grant, const struct caller *caller, int fd,
		 struct ssl_st *tls)
{
	if (tls)
		return *grant->certificate && tls_is_named(tls, grant->certificate);
	return caller->kind == CALLER_PEER &&
	       ((grant->uid != ROLE_NOBODY && caller->uid == grant->uid) ||
		(grant->gid != ROLE_NOBODY && is_member(caller, fd, grant->gid)));
}

enum caller_role roles_find(const struct roles *roles, const struct caller *caller, int fd,
			    struct ssl_st *tls)
{
	enum caller_role found = CALLER_NOBODY;

	if (caller->kind == CALLER_PEER && (caller->uid == 0 || caller->uid == geteuid()))
		return CALLER_ADMIN;
	for (unsigned int i = 0; i < roles->n; i++)
		if (roles->grant[i].role > found && fits(&roles->grant[i], caller, fd, tls))
			found = roles->grant[i].role;
	return found;
}
