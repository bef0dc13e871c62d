/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes of a configuration, as a snapshot has them (snapshot.h): the connected routes of the
 * interfaces' addresses and the configured ones, by longest prefix, flattened to
 * disjoint ranges.
 */
#ifndef CTRL_ROUTES_H
#define CTRL_ROUTES_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/snapshot.h>

#include "ctrl/model.h"

/* The link of an interface's address. */
struct routes_link {
	struct resource_prefix prefix; /* host bits kept: the address */
	uint8_t port;                  /* position in the root's ports */
	const struct resource *interface;
};

struct routes {
	struct routes_link *link; /* each address of each interface */
	size_t n_links;
	struct sl_next_hop *hop;
	uint32_t n_hops;
	uint32_t *start; /* host order, ascending; start[0] is 0 */
	uint32_t *to;    /* position in hop, or SL_NO_ROUTE */
	uint32_t n;      /* ranges */
};

/* -EINVAL with *why; to be freed in any case. */
int routes_build(struct routes *routes, const struct model *model, struct problem *why);
void routes_free(struct routes *routes);

/* Next hop to an address (network byte order), NULL when there is no route. */
const struct sl_next_hop *routes_find(const struct routes *routes, uint32_t addr);

#endif
