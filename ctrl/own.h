/* SPDX-License-Identifier: BSD-3-Clause */
/* The appliance's own addresses, in the hash that the snapshot takes over. */
#ifndef CTRL_OWN_H
#define CTRL_OWN_H

#include <stdint.h>

#include <sluice/snapshot.h>

#include "ctrl/model.h"
#include "ctrl/routes.h"

struct own {
	struct sl_own_address *place;
	const struct resource **who; /* the first that has it, beside each place */
	uint32_t count;              /* places, a power of two */
};

/*
 * A local address is for that alone; an interface's is unique, but may be a virtual server's
 * too; virtual servers may share one. -EINVAL with *why; to be freed in any case.
 */
int own_build(struct own *own, const struct model *model, const struct routes *routes,
	      struct problem *why);
void own_free(struct own *own);

/* Whose it is; NULL when it is not ours. */
const struct resource *own_find(const struct own *own, const struct sl_addr *addr);

#endif
