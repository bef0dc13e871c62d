/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extension headers (RFC 8200 section 4) are passed over, a few and not too many bytes of them, so
 * that a packet cannot keep a worker busy: hop-by-hop options where they belong, destination
 * options, a routing header that has done its work (one of type 0 never: RFC 5095), and the header
 * of a fragment that is its whole datagram.
 */
#ifndef WALK6_H
#define WALK6_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

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

/* RFC 8200 section 4.5. */
struct walk6_fragment {
	uint8_t next;
	uint8_t reserved;
	rte_be16_t place; /* in the datagram: WALK6_OFFSET_MASK, in bytes, and WALK6_MORE */
	rte_be32_t id;
} __attribute__((packed, aligned(2)));

#define WALK6_OFFSET_MASK 0xfff8
#define WALK6_MORE        0x0001

/*
 * From behind the IPv6 header to the first that is no extension header, or why not. A fragment
 * header of a datagram that is whole (RFC 6946) is passed; another ends the walk with
 * SL_DROP_IP_FRAGMENT, and walk->at is where it stands.
 */
enum sl_drop_reason walk6_extensions(struct walk6 *walk, const char *start);

#endif
