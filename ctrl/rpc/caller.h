/* SPDX-License-Identifier: BSD-3-Clause */
/* Who makes a call: found out by the transport, kept in revisions and the audit log. */
#ifndef CTRL_RPC_CALLER_H
#define CTRL_RPC_CALLER_H

#include <sys/types.h>

enum caller_kind {
	CALLER_UNKNOWN,
	CALLER_PEER, /* a process at the other end of a unix socket, as the kernel says */
	CALLER_TLS,  /* the holder of a certificate */
	CALLER_SELF, /* the daemon itself */
};

/* What it may do; each includes those before it. */
enum caller_role {
	CALLER_NOBODY,
	CALLER_VIEWER,
	CALLER_OPERATOR,
	CALLER_ADMIN,
};

/* "operator"; "none" for CALLER_NOBODY. */
const char *caller_role_name(enum caller_role role);

/* CALLER_NOBODY for what is none. */
enum caller_role caller_role_of_name(const char *name);

struct caller {
	enum caller_kind kind;
	enum caller_role role;
	char name[128]; /* "uid 0"; the certificate's subject; "" when unknown */
	uid_t uid;      /* of a peer, as are: */
	gid_t gid;
	pid_t pid;
	char address[64]; /* where from: "pid 4711", "192.0.2.1:50123" */
};

/*
 * What a connected socket tells of the other end; no role yet. `peer` is whom limits are kept for:
 * "uid 0", "192.0.2.1".
 */
void caller_of_socket(struct caller *caller, int fd, char *peer, size_t size);

#endif
