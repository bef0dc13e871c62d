/* SPDX-License-Identifier: BSD-3-Clause */
/* Hosts and ports, in and out. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"

/* Of IPv6 an address, of IPv4 also a name. */
static bool read_host(const char *host, bool six, char *address)
{
	struct addrinfo hints = {.ai_family = six ? AF_INET6 : AF_INET,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = six ? AI_NUMERICHOST : 0};
	struct addrinfo *found;
	bool good;

	if (!*host || strchr(host, '%') || getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	good = getnameinfo(found->ai_addr, found->ai_addrlen, address, INET6_ADDRSTRLEN, NULL, 0,
			   NI_NUMERICHOST) == 0;
	freeaddrinfo(found);
	return good;
}

static bool read_port(const char *text, const char *protocol, unsigned int *port)
{
	const struct servent *known;
	char *end;
	long number = strtol(text, &end, 10);

	if (*text && !*end) {
		*port = (unsigned int)number;
		return number >= 0 && number <= 65535;
	}
	known = getservbyname(text, strcmp(protocol, "PROTOCOL_UDP") == 0 ? "udp" : "tcp");
	*port = known ? ntohs((uint16_t)known->s_port) : 0;
	return known != NULL;
}

bool ipvs_read_endpoint(const char *text, const char *protocol, struct ipvs_endpoint *endpoint)
{
	char host[256];
	const char *end, *colon;
	uint8_t bytes[16];
	bool six = *text == '[';

	endpoint->port = 0;
	if (inet_pton(AF_INET6, text, bytes) == 1) { /* without brackets: all of it is address */
		six = true;
		end = text + strlen(text);
		colon = NULL;
	} else if (six) {
		end = strchr(++text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		colon = end[1] ? end + 1 : NULL;
	} else {
		colon = strchr(text, ':');
		end = colon ? colon : text + strlen(text);
	}
	if ((size_t)(end - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	endpoint->has_port = colon != NULL;
	return read_host(host, six, endpoint->address) &&
	       (!colon || read_port(colon + 1, protocol, &endpoint->port));
}

/* The family, AF_UNSPEC for what is no address; the bytes in `to`. */
static int bytes_of(const char *address, uint8_t to[16])
{
	if (inet_pton(AF_INET, address, to) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, address, to) == 1 ? AF_INET6 : AF_UNSPEC;
}

bool ipvs_same_address(const char *a, const char *b)
{
	uint8_t left[16] = {0}, right[16] = {0};

	return bytes_of(a, left) == bytes_of(b, right) && memcmp(left, right, sizeof(left)) == 0;
}

bool ipvs_is_six(const char *address)
{
	return strchr(address, ':') != NULL;
}

/*
 * ipvsadm takes an address for four signed numbers, of which IPv4 has the first: 192.0.2.1 stands
 * before 10.0.0.1, and fd00::1 between the two.
 */
int ipvs_compare_endpoints(const char *address_a, unsigned int port_a, const char *address_b,
			   unsigned int port_b)
{
	uint8_t a[16] = {0}, b[16] = {0};
	int order;

	bytes_of(address_a, a);
	bytes_of(address_b, b);
	for (int i = 0; i < 16; i += 4) {
		a[i] ^= 0x80;
		b[i] ^= 0x80;
	}
	order = memcmp(a, b, sizeof(a));
	return order ? order : (int)port_a - (int)port_b;
}

void ipvs_print_endpoint(char *buffer, size_t size, const char *address, unsigned int port,
			 const char *protocol, bool numeric)
{
	struct sockaddr_storage where = {0};
	char host[256] = "", service[32] = "", number[16];
	struct sockaddr_in *v4 = (void *)&where;
	struct sockaddr_in6 *v6 = (void *)&where;
	const struct servent *known = NULL;
	uint8_t bytes[16];
	bool six = bytes_of(address, bytes) == AF_INET6;

	where.ss_family = six ? AF_INET6 : AF_INET;
	if (six)
		memcpy(&v6->sin6_addr, bytes, 16);
	else
		memcpy(&v4->sin_addr, bytes, 4);
	if (!numeric) {
		known = getservbyport(htons((uint16_t)port), protocol);
		getnameinfo((void *)&where, six ? sizeof(*v6) : sizeof(*v4), host, sizeof(host),
			    NULL, 0, NI_NAMEREQD);
	}
	snprintf(number, sizeof(number), "%u", port);
	snprintf(service, sizeof(service), "%s", known ? known->s_name : number);
	snprintf(buffer, size, six ? "[%s]:%s" : "%s:%s", *host ? host : address, service);
}
