/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NOT_A_PREFIX "is not an IPv4 address with a prefix length, as 192.0.2.1/24"

uint32_t address_mask(uint8_t length)
{
	return length ? htonl(UINT32_MAX << (32 - length)) : 0;
}

bool address_in(const struct resource_prefix *prefix, uint32_t addr)
{
	return ((prefix->addr ^ addr) & address_mask(prefix->length)) == 0;
}

const char *address_text(uint32_t addr, char *out)
{
	const uint8_t *b = (const uint8_t *)&addr;

	snprintf(out, ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	return out;
}

static const char *host_ok(uint32_t addr)
{
	uint8_t first = ntohl(addr) >> 24;

	if (first == 0)
		return "is in 0.0.0.0/8, which no host has";
	if (first == 127)
		return "is a loopback address";
	if (first >= 224 && first < 240)
		return "is a multicast address";
	if (first >= 240)
		return "is a broadcast or reserved address";
	return NULL;
}

const char *address_parse_host(const char *text, uint32_t *addr)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1)
		return "is not an IPv4 address";
	*addr = in.s_addr;
	return host_ok(*addr);
}

/* 0 to 32 in decimal, without sign or leading zeros. */
static bool parse_length(const char *text, uint8_t *length)
{
	size_t len = strlen(text);
	unsigned int n = 0;

	if (len < 1 || len > 2 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
		return false;
	for (; *text; text++)
		n = n * 10 + (unsigned int)(*text - '0');
	*length = n;
	return n <= 32;
}

static const char *parse_both(const char *text, struct resource_prefix *out)
{
	const char *slash = strchr(text, '/');
	char addr[ADDRESS_TEXT_SIZE];
	struct in_addr in;

	if (!slash || slash - text >= (int)sizeof(addr) || !parse_length(slash + 1, &out->length))
		return NOT_A_PREFIX;
	snprintf(addr, sizeof(addr), "%.*s", (int)(slash - text), text);
	if (inet_pton(AF_INET, addr, &in) != 1)
		return NOT_A_PREFIX;
	out->addr = in.s_addr;
	return NULL;
}

const char *address_parse_interface(const char *text, struct resource_prefix *out)
{
	const char *wrong = parse_both(text, out);
	uint32_t host;

	if (!wrong)
		wrong = host_ok(out->addr);
	if (wrong)
		return wrong;
	if (out->length == 0)
		return "has a prefix length that is not in 1..32";
	host = out->addr & ~address_mask(out->length);
	/* RFC 3021: both addresses of a /31 are hosts. */
	if (out->length < 31 && host == 0)
		return "is its network's own address";
	if (out->length < 31 && host == ~address_mask(out->length))
		return "is its network's broadcast address";
	return NULL;
}

const char *address_parse_prefix(const char *text, struct resource_prefix *out)
{
	const char *wrong = parse_both(text, out);

	if (!wrong && out->addr & ~address_mask(out->length))
		wrong = "has host bits set";
	return wrong;
}
