/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/fields_endpoints.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/address.h"
#include "sluice/v1/common.pb-c.h"

#define ENDPOINTS_MAX 1024 /* beside the server's own */
#define FIELD_SIZE    64   /* "endpoints[1023].port_end" */

/* An endpoint of a message: `prefix` is where its fields stand, "" or "endpoints[3]." */
struct given {
	char prefix[FIELD_SIZE / 2];
	const char *address;
	uint32_t port, port_end;
	int protocol;
};

static const char *field(const struct given *g, const char *name, char out[FIELD_SIZE])
{
	snprintf(out, FIELD_SIZE, "%s%s", g->prefix, name);
	return out;
}

static int decode_ports(const struct fields_context *c, const struct given *g,
			struct resource_endpoint *e)
{
	char path[FIELD_SIZE];

	if (g->port > UINT16_MAX)
		return fields_refuse(c, field(g, "port", path), "%u is not in 0..65535", g->port);
	if (g->port_end > UINT16_MAX)
		return fields_refuse(c, field(g, "port_end", path), "%u is not in 0..65535",
				     g->port_end);
	if (!g->port && g->port_end != UINT16_MAX) /* one that was forgotten must not be all */
		return fields_refuse(c, field(g, "port", path),
				     "is required (every port is port 0 with port_end 65535)");
	if (g->port_end && g->port_end < g->port)
		return fields_refuse(c, field(g, "port_end", path), "%u is before port, %u",
				     g->port_end, g->port);
	e->port = (uint16_t)(g->port ? g->port : 1);
	e->port_end = (uint16_t)(g->port_end ? g->port_end : g->port);
	e->every_port = !g->port;
	return 0;
}

static int decode_protocol(const struct fields_context *c, const struct given *g,
			   struct resource_endpoint *e)
{
	char path[FIELD_SIZE];

	switch (g->protocol) {
	case SLUICE__V1__PROTOCOL__PROTOCOL_TCP: e->proto = IPPROTO_TCP; return 0;
	case SLUICE__V1__PROTOCOL__PROTOCOL_UDP: e->proto = IPPROTO_UDP; return 0;
	case SLUICE__V1__PROTOCOL__PROTOCOL_UNSPECIFIED:
		return fields_refuse(c, field(g, "protocol", path), "is required: tcp or udp");
	default:
		return fields_refuse(c, field(g, "protocol", path), "%d is not known: tcp or udp",
				     g->protocol);
	}
}

static int decode(const struct fields_context *c, const struct given *g,
		  struct resource_endpoint *e)
{
	char path[FIELD_SIZE];
	int rc = fields_check_host(c, field(g, "address", path), g->address, &e->addr);

	if (!rc)
		rc = decode_ports(c, g, e);
	return rc ? rc : decode_protocol(c, g, e);
}

int fields_decode_endpoints(const struct fields_context *c, const Sluice__V1__VirtualServer *m)
{
	struct given g = {"", m->address, m->port, m->port_end, (int)m->protocol};
	struct resource_endpoint *list;
	int rc;

	if (m->n_endpoints > ENDPOINTS_MAX)
		return fields_refuse(c, "endpoints", "%zu are more than %d", m->n_endpoints,
				     ENDPOINTS_MAX);
	list = calloc(m->n_endpoints + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	c->r->virtual_server.endpoint = list;
	c->r->virtual_server.n_endpoints = (uint32_t)m->n_endpoints + 1;
	rc = decode(c, &g, &list[0]);
	for (size_t i = 0; i < m->n_endpoints && !rc; i++) {
		const Sluice__V1__Endpoint *e = m->endpoints[i];

		g = (struct given){"", e->address, e->port, e->port_end, (int)e->protocol};
		snprintf(g.prefix, sizeof(g.prefix), "endpoints[%zu].", i);
		rc = decode(c, &g, &list[i + 1]);
	}
	return rc;
}

/* A range of one port is that port. */
static void canonical(char *address, uint32_t port, uint32_t *port_end)
{
	address_canonical(address);
	if (*port_end == port)
		*port_end = 0;
}

void fields_canonical_endpoints(Sluice__V1__VirtualServer *m)
{
	canonical(m->address, m->port, &m->port_end);
	for (size_t i = 0; i < m->n_endpoints; i++)
		canonical(m->endpoints[i]->address, m->endpoints[i]->port,
			  &m->endpoints[i]->port_end);
}

bool fields_any_endpoint(const struct resource *server, uint8_t proto)
{
	for (uint32_t i = 0; i < server->virtual_server.n_endpoints; i++)
		if (server->virtual_server.endpoint[i].proto == proto)
			return true;
	return false;
}

bool fields_all_endpoints(const struct resource *server, uint8_t proto)
{
	for (uint32_t i = 0; i < server->virtual_server.n_endpoints; i++)
		if (server->virtual_server.endpoint[i].proto != proto)
			return false;
	return true;
}
