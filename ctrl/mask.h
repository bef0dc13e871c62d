/* SPDX-License-Identifier: BSD-3-Clause */
/* Update masks: which fields of a resource an update is about. */
#ifndef CTRL_MASK_H
#define CTRL_MASK_H

#include "ctrl/resource.h"

/* Is this field named? `mask` is names between commas; "*" names all. */
bool mask_has(const char *mask, const char *field);

/*
 * What an update with a mask asks for: the message as it is, `now`, with the fields that the mask
 * names taken from `wanted`. Made in `out`, of the type's size, and shares all with the two. A name
 * that the kind has not, or that no update can set (name, etag), is refused with -EINVAL and *why.
 */
int mask_merge(enum resource_kind kind, const char *mask, const ProtobufCMessage *now,
	       const ProtobufCMessage *wanted, void *out, struct problem *why);

#endif
