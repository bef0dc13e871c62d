/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the routes last said, so that a new connection needs no search: the last range behind a
 * gateway in each direction, and the neighbours on a link that were asked for, by address. It
 * holds for one epoch of the neighbours (neigh.h), which moves when routes do.
 */
#ifndef NEXTHOP_CACHE_H
#define NEXTHOP_CACHE_H

#include <stdint.h>

#define NEXTHOP_KNOWN 1024 /* a power of two */

/* Addresses behind one gateway, host order. */
struct nexthop_range {
	uint32_t first;
	uint32_t span;  /* the last less the first */
	uint16_t neigh; /* 0: nothing is known */
};

struct nexthop_known {
	uint32_t addr;  /* network byte order */
	uint16_t neigh; /* 0: nothing is known */
};

struct nexthop_cache {
	uint16_t epoch; /* of the neighbours when it was filled */
	struct nexthop_range behind[2];
	struct nexthop_known known[NEXTHOP_KNOWN];
};

#endif
