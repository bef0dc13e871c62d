/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 addresses and prefixes as text. Each parser returns NULL, or what is wrong, to follow
 * the quoted text: "is not an IPv4 address".
 */
#ifndef CTRL_ADDRESS_H
#define CTRL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/resource.h"

/* Netmask of a prefix length, network byte order. */
uint32_t address_mask(uint8_t length);

/* Is it inside the prefix? The prefix may have host bits. */
bool address_in(const struct resource_prefix *prefix, uint32_t addr);

/* An address that a host can have: not 0/8, loopback, multicast, reserved or broadcast. */
const char *address_parse_host(const char *text, uint32_t *addr);

/* "192.0.2.1/24": a host's address, not its network's first or last, and the length. */
const char *address_parse_interface(const char *text, struct resource_prefix *out);

/* "192.0.2.0/24", no host bits set. */
const char *address_parse_prefix(const char *text, struct resource_prefix *out);

#define ADDRESS_TEXT_SIZE 16

/* Dotted form; returns out, of ADDRESS_TEXT_SIZE. */
const char *address_text(uint32_t addr, char *out);

#endif
