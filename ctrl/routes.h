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

/* An address as a number: IPv4-mapped for IPv4. */
typedef unsigned __int128 routes_key;

/* Disjoint ranges that cover a family's addresses. */
struct routes_ranges {
	routes_key *start; /* ascending; the first is the family's lowest address */
	uint32_t *to;      /* position in hop, or SL_NO_ROUTE */
	uint32_t n;
};

struct routes {
	struct routes_link *link; /* each address of each interface */
	size_t n_links;
	struct sl_next_hop *hop;
	uint32_t n_hops;
	struct routes_ranges ranges[2]; /* IPv4, IPv6 */
};

/* -EINVAL with *why; to be freed in any case. */
int routes_build(struct routes *routes, const struct model *model, struct problem *why);
void routes_free(struct routes *routes);

/* Next hop to an address, NULL when there is no route. */
const struct sl_next_hop *routes_find(const struct routes *routes, const struct sl_addr *addr);

#endif
