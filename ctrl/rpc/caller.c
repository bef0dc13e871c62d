/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/caller.h"

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
