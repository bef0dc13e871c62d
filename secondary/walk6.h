/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extension headers (RFC 8200 section 4) are passed over, a few and not too many bytes of them, so
 * that a packet cannot keep a worker busy: hop-by-hop options where they belong, destination
 * options, and a routing header that has done its work (one of type 0 never: RFC 5095).
 */
#ifndef WALK6_H
#define WALK6_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/drop.h>

#define WALK6_DONE SL_DROP_MAX /* no reason to drop */

/* Where the walk over the headers is; bytes from a start of the caller's choice. */
struct walk6 {
	uint8_t next; /* header at `at` */
	uint16_t at;
	uint16_t end; /* of the packet, or of what there is of it */
};

static inline bool walk6_is_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING ||
	       next == IPPROTO_FRAGMENT;
}

/* From behind the IPv6 header to the first that is no extension header, or why not. */
enum sl_drop_reason walk6_extensions(struct walk6 *walk, const char *start);

#endif
