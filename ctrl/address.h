/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses and prefixes of both families as text. Each parser returns NULL, or what is wrong, to
 * follow the quoted text: "is not an IP address". IPv6 is written as RFC 5952 says, and read in any
 * form of RFC 4291 section 2.2; an IPv4 address is not accepted in IPv6's clothes.
 */
#ifndef CTRL_ADDRESS_H
#define CTRL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/resource.h"

/* Bits of an IPv4-mapped address before the IPv4 address itself. */
#define ADDRESS_V4_BITS 96

/* Is it inside the prefix? The prefix may have host bits; neither family is inside the other's. */
bool address_in(const struct resource_prefix *prefix, const struct sl_addr *addr);

/* Ones, so many, then zeros. */
struct sl_addr address_mask(uint8_t length);

/* The prefix without host bits. */
struct sl_addr address_network(const struct resource_prefix *prefix);

/* The link-local address that a MAC makes: modified EUI-64, RFC 4291 appendix A. */
struct sl_addr address_link_local(const uint8_t mac[6]);

/*
 * An address that can be served and routed to: not unspecified, loopback, multicast, reserved,
 * broadcast; not link-local, whose link the text does not say.
 */
const char *address_parse_host(const char *text, struct sl_addr *addr);

/* The same, or a link-local one: for where an interface is named beside it. */
const char *address_parse_gateway(const char *text, struct sl_addr *addr);

/* "192.0.2.1/24", "2001:db8::1/64": a host's address, not its network's first (or, of IPv4, last).
 */
const char *address_parse_interface(const char *text, struct resource_prefix *out);

/* "192.0.2.0/24", "2001:db8::/32", no host bits set. */
const char *address_parse_prefix(const char *text, struct resource_prefix *out);

#define ADDRESS_TEXT_SIZE 46

/* Canonical form; returns out, of ADDRESS_TEXT_SIZE. */
const char *address_text(const struct sl_addr *addr, char *out);

/* A prefix's length as its family writes it. */
unsigned int address_length(const struct resource_prefix *prefix);

/*
 * An address, with or without "/length", in place to its canonical form, which is never longer;
 * what is none stays as it is.
 */
void address_canonical(char *text);

#endif
