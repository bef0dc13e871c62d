/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/caller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

const char *caller_role_name(enum caller_role role)
{
	switch (role) {
	case CALLER_NOBODY: return "none";
	case CALLER_VIEWER: return "viewer";
	case CALLER_OPERATOR: return "operator";
	case CALLER_ADMIN: return "admin";
	}
	return "none";
}

enum caller_role caller_role_of_name(const char *name)
{
	for (enum caller_role role = CALLER_VIEWER; role <= CALLER_ADMIN; role++)
		if (!strcmp(name, caller_role_name(role)))
			return role;
	return CALLER_NOBODY;
}

static void local_peer(struct caller *caller, int fd, char *peer, size_t size)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || cred.pid <= 0) {
		snprintf(peer, size, "unknown");
		return;
	}
	caller->kind = CALLER_PEER;
	caller->uid = cred.uid;
	caller->gid = cred.gid;
	caller->pid = cred.pid;
	snprintf(caller->name, sizeof(caller->name), "uid %u", cred.uid);
	snprintf(caller->address, sizeof(caller->address), "pid %d", cred.pid);
	snprintf(peer, size, "uid %u", cred.uid);
}

void caller_of_socket(struct caller *caller, int fd, char *peer, size_t size)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
	char text[INET6_ADDRSTRLEN] = "unknown";

	*caller = (struct caller){0};
	if (getpeername(fd, (struct sockaddr *)&address, &len))
		address.ss_family = AF_UNSPEC;
	switch (address.ss_family) {
	case AF_UNIX: local_peer(caller, fd, peer, size); return;
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		snprintf(caller->address, sizeof(caller->address), "%s:%u", text,
			 ntohs(in->sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		snprintf(caller->address, sizeof(caller->address), "[%s]:%u", text,
			 ntohs(in6->sin6_port));
		break;
	default: break;
	}
	snprintf(peer, size, "%s", text);
}
