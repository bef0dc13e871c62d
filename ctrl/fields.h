/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules that one message can break by itself: names, addresses, ports, ranges, enums. What
 * concerns several resources is in ctrl/plan.h.
 */
#ifndef CTRL_FIELDS_H
#define CTRL_FIELDS_H

#include "ctrl/resource.h"

/* Bound on an interface's addresses: each is compared with each address of ours. */
#define FIELDS_INTERFACE_ADDRESSES 1024

/*
 * Bring a message to the form in which it is stored: no etag, no unknown fields, nothing that is
 * output only, no backends in a pool, defaults filled in. Pointers are changed, nothing is freed.
 */
void fields_clean(enum resource_kind kind, ProtobufCMessage *message);

/* Check a clean message and decode it into the resource, whose kind and name are set. */
int fields_decode(struct resource *resource, const char *pool, const ProtobufCMessage *message,
		  struct problem *why);

/* A message's resource, for the error path, and where to put the reason. */
struct fields_context {
	struct resource *r;
	struct problem *why;
};

/* Fill in invalid_argument for a field. Returns -EINVAL. */
int fields_refuse(const struct fields_context *c, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* An address that can be served and routed to (address_parse_host), which is required. */
int fields_check_host(const struct fields_context *c, const char *field, const char *text,
		      struct sl_addr *addr);

/* A name, which is required. 0 or fields_refuse(). */
int fields_check_name(const struct fields_context *c, const char *field, const char *name);

/* Free what fields_decode allocated. */
void fields_free(struct resource *resource);

/*
 * Write the addresses of a message that was decoded, and whose strings are its own, in their
 * canonical form (RFC 5952), so that equal configurations have equal etags. That is never longer.
 */
void fields_canonical(enum resource_kind kind, ProtobufCMessage *message);

#endif
