/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NOT_A_PREFIX "is not an address with a prefix length, as 192.0.2.1/24 or 2001:db8::1/64"

struct sl_addr address_mask(uint8_t length)
{
	struct sl_addr mask = {0};

	for (int i = 0; i < 4; i++, length -= length < 32 ? length : 32)
		if (length)
			mask.w[i] = htonl(UINT32_MAX << (32 - (length < 32 ? length : 32)));
	return mask;
}

bool address_in(const struct resource_prefix *prefix, const struct sl_addr *addr)
{
	struct sl_addr mask = address_mask(prefix->length);
	uint32_t other = 0;

	for (int i = 0; i < 4; i++)
		other |= (prefix->addr.w[i] ^ addr->w[i]) & mask.w[i];
	return !other && sl_addr_is_v4(&prefix->addr) == sl_addr_is_v4(addr);
}

struct sl_addr address_network(const struct resource_prefix *prefix)
{
	struct sl_addr mask = address_mask(prefix->length), network;

	for (int i = 0; i < 4; i++)
		network.w[i] = prefix->addr.w[i] & mask.w[i];
	return network;
}

struct sl_addr address_link_local(const uint8_t mac[6])
{
	const uint8_t bytes[16] = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2],
				   0xff, 0xfe, mac[3],           mac[4], mac[5]};
	struct sl_addr addr;

	memcpy(&addr, bytes, sizeof(addr));
	return addr;
}

const char *address_text(const struct sl_addr *addr, char *out)
{
	if (sl_addr_is_v4(addr))
		inet_ntop(AF_INET, &addr->w[3], out, ADDRESS_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, addr, out, ADDRESS_TEXT_SIZE);
	return out;
}

unsigned int address_length(const struct resource_prefix *prefix)
{
	return prefix->length - (sl_addr_is_v4(&prefix->addr) ? ADDRESS_V4_BITS : 0);
}

/* NULL: it is one of either family. */
static const char *parse(const char *text, struct sl_addr *addr)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) == 1) {
		*addr = sl_addr_of_v4(in.s_addr);
		return NULL;
	}
	if (inet_pton(AF_INET6, text, addr) != 1)
		return strchr(text, '%') ? "has a zone: name an interface instead"
					 : "is not an IP address";
	return sl_addr_is_v4(addr) ? "is an IPv4 address in IPv6's form: write it as IPv4" : NULL;
}

static const char *host_ok4(uint32_t addr)
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

static const char *host_ok6(const struct sl_addr *addr)
{
	if ((addr->w[0] & htonl(0xff000000)) == htonl(0xff000000))
		return "is a multicast address";
	if (addr->w[0] | addr->w[1] | addr->w[2])
		return NULL;
	if (ntohl(addr->w[3]) == 0)
		return "is the unspecified address";
	if (ntohl(addr->w[3]) == 1)
		return "is a loopback address";
	return "is in ::/96, which no host has"; /* RFC 4291 section 2.5.5.1 */
}

static const char *host_ok(const struct sl_addr *addr)
{
	return sl_addr_is_v4(addr) ? host_ok4(sl_addr_v4(addr)) : host_ok6(addr);
}

const char *address_parse_gateway(const char *text, struct sl_addr *addr)
{
	const char *wrong = parse(text, addr);

	return wrong ? wrong : host_ok(addr);
}

const char *address_parse_host(const char *text, struct sl_addr *addr)
{
	const char *wrong = address_parse_gateway(text, addr);

	if (!wrong && sl_addr_is_link_local(addr))
		return "is a link-local address, which is on every link";
	return wrong;
}

/* 0 to 128 in decimal, without sign or leading zeros. */
static bool parse_length(const char *text, uint8_t *length)
{
	size_t len = strlen(text);
	unsigned int n = 0;

	if (len < 1 || len > 3 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
		return false;
	for (; *text; text++)
		n = n * 10 + (unsigned int)(*text - '0');
	*length = (uint8_t)n;
	return n <= 128;
}

static const char *parse_both(const char *text, struct resource_prefix *out)
{
	const char *slash = strchr(text, '/'), *wrong;
	char addr[ADDRESS_TEXT_SIZE];

	if (!slash || slash - text >= (int)sizeof(addr) || !parse_length(slash + 1, &out->length))
		return NOT_A_PREFIX;
	snprintf(addr, sizeof(addr), "%.*s", (int)(slash - text), text);
	wrong = parse(addr, &out->addr);
	if (wrong)
		return strstr(wrong, "is not") ? NOT_A_PREFIX : wrong;
	if (!sl_addr_is_v4(&out->addr))
		return NULL;
	if (out->length > 32)
		return NOT_A_PREFIX;
	out->length += ADDRESS_V4_BITS;
	return NULL;
}

static const char *interface_ok4(const struct resource_prefix *p)
{
	uint32_t mask = address_mask(p->length).w[3], host = sl_addr_v4(&p->addr) & ~mask;
	unsigned int length = address_length(p);

	if (length == 0)
		return "has a prefix length that is not in 1..32";
	/* RFC 3021: both addresses of a /31 are hosts. */
	if (length < 31 && host == 0)
		return "is its network's own address";
	if (length < 31 && host == ~mask)
		return "is its network's broadcast address";
	return NULL;
}

static const char *interface_ok6(const struct resource_prefix *p)
{
	struct sl_addr network = address_network(p);

	if (p->length == 0)
		return "has a prefix length that is not in 1..128";
	if (sl_addr_is_link_local(&p->addr))
		return "is a link-local address: an interface with an IPv6 address has one by "
		       "itself";
	/* RFC 4291 section 2.6.1; RFC 6164: both addresses of a /127 are hosts. */
	if (p->length < 127 && sl_addr_equal(&network, &p->addr))
		return "is its network's subnet-router anycast address";
	return NULL;
}

const char *address_parse_interface(const char *text, struct resource_prefix *out)
{
	const char *wrong = parse_both(text, out);

	if (!wrong)
		wrong = host_ok(&out->addr);
	if (wrong)
		return wrong;
	return sl_addr_is_v4(&out->addr) ? interface_ok4(out) : interface_ok6(out);
}

const char *address_parse_prefix(const char *text, struct resource_prefix *out)
{
	const char *wrong = parse_both(text, out);
	struct sl_addr network;

	if (wrong)
		return wrong;
	network = address_network(out);
	if (!sl_addr_equal(&network, &out->addr))
		return "has host bits set";
	if (!sl_addr_is_v4(&out->addr) && out->length >= 10 && sl_addr_is_link_local(&out->addr))
		return "is link-local: such addresses are not routed";
	return NULL;
}

/* IPv4's dotted form is taken without leading zeros only, so each address has one text. */
void address_canonical(char *text)
{
	char addr[ADDRESS_TEXT_SIZE], canonical[ADDRESS_TEXT_SIZE];
	size_t len = strcspn(text, "/");
	struct sl_addr parsed;

	if (len >= sizeof(addr) || !memchr(text, ':', len))
		return;
	snprintf(addr, sizeof(addr), "%.*s", (int)len, text);
	if (parse(addr, &parsed) || !strcmp(address_text(&parsed, canonical), addr) ||
	    strlen(canonical) > len)
		return;
	memmove(text + strlen(canonical), text + len, strlen(text + len) + 1);
	memcpy(text, canonical, strlen(canonical));
}
