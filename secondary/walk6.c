/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/walk6.h"

#define EXTENSIONS      4
#define EXTENSION_BYTES 128

/* RFC 8200 section 4.4; segments left means that it is not the packet's last destination. */
static bool routing_done(const uint8_t *header)
{
	return header[2] != 0 && header[3] == 0;
}

/* RFC 6946: the only one of its datagram. */
static bool atomic(const struct walk6_fragment *header)
{
	return !(header->place & RTE_BE16(WALK6_OFFSET_MASK | WALK6_MORE));
}

/* One extension header, which has to end before `bound`. */
static enum sl_drop_reason pass(struct walk6 *walk, const char *start, unsigned int nth,
				uint32_t bound)
{
	const uint8_t *header = (const uint8_t *)start + walk->at;
	uint32_t len;

	if (walk->at + 8u > walk->end || nth == EXTENSIONS)
		return SL_DROP_IP_EXTENSION;
	if (walk->next == IPPROTO_FRAGMENT && !atomic((const struct walk6_fragment *)header))
		return SL_DROP_IP_FRAGMENT;
	len = walk->next == IPPROTO_FRAGMENT ? sizeof(struct walk6_fragment) : (header[1] + 1u) * 8;
	if (walk->at + len > walk->end || walk->at + len > bound ||
	    (walk->next == IPPROTO_HOPOPTS && nth) ||
	    (walk->next == IPPROTO_ROUTING && !routing_done(header)))
		return SL_DROP_IP_EXTENSION;
	walk->next = header[0];
	walk->at = (uint16_t)(walk->at + len);
	return WALK6_DONE;
}

enum sl_drop_reason walk6_extensions(struct walk6 *walk, const char *start)
{
	uint32_t bound = walk->at + EXTENSION_BYTES;
	enum sl_drop_reason why = WALK6_DONE;

	for (unsigned int nth = 0; walk6_is_extension(walk->next) && why == WALK6_DONE; nth++)
		why = pass(walk, start, nth, bound);
	return why;
}
