/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/fields_snat.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/snapshot.h>

#include "ctrl/address.h"

#define PREFIXES_MAX 64 /* of each list */

static int decode_prefixes(const struct fields_context *c, const char *field, char *const *text,
			   size_t n, struct resource_prefix **out, size_t *count)
{
	const char *wrong = NULL;

	if (n > PREFIXES_MAX)
		return fields_refuse(c, field, "%zu are more than %d", n, PREFIXES_MAX);
	*out = calloc(n + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	*count = n;
	for (size_t i = 0; i < n && !wrong; i++) {
		wrong = address_parse_prefix(text[i], &(*out)[i]);
		if (wrong)
			return fields_refuse(c, field, "\"%.80s\" %s", text[i], wrong);
	}
	return 0;
}

static int decode_protocol(const struct fields_context *c, const Sluice__V1__SnatPolicy *m)
{
	switch ((int)m->protocol) {
	case SLUICE__V1__PROTOCOL__PROTOCOL_UNSPECIFIED: return 0;
	case SLUICE__V1__PROTOCOL__PROTOCOL_TCP: c->r->snat.proto = IPPROTO_TCP; return 0;
	case SLUICE__V1__PROTOCOL__PROTOCOL_UDP: c->r->snat.proto = IPPROTO_UDP; return 0;
	case SLUICE__V1__PROTOCOL__PROTOCOL_ICMP: c->r->snat.proto = IPPROTO_ICMP; return 0;
	default:
		return fields_refuse(c, "protocol", "%d is not known: tcp, udp, icmp, or none",
				     (int)m->protocol);
	}
}

/* A destination that no source can reach is a mistake. */
static int check_destinations(const struct fields_context *c, const Sluice__V1__SnatPolicy *m)
{
	const struct resource *r = c->r;

	for (size_t i = 0; i < r->snat.n_destination; i++) {
		bool ipv4 = sl_addr_is_v4(&r->snat.destination[i].addr);

		if (!resource_snat_has(r, !ipv4))
			return fields_refuse(c, "destination_prefixes",
					     "\"%.80s\" is of %s, and no source is",
					     m->destination_prefixes[i], ipv4 ? "IPv4" : "IPv6");
	}
	return 0;
}

int fields_decode_snat(const struct fields_context *c, const Sluice__V1__SnatPolicy *m)
{
	struct resource *r = c->r;
	int rc;

	r->snat.outside = SL_REF_NONE;
	if (asprintf(&r->snat.identity, RESOURCE_SNAT_IDENTITY "%s", r->name) < 0) {
		r->snat.identity = NULL;
		return -ENOMEM;
	}
	if ((rc = fields_check_name(c, "name", m->name)) || (rc = decode_protocol(c, m)))
		return rc;
	if (!m->n_source_prefixes)
		return fields_refuse(c, "source_prefixes", "at least one is required");
	rc = decode_prefixes(c, "source_prefixes", m->source_prefixes, m->n_source_prefixes,
			     &r->snat.source, &r->snat.n_source);
	if (!rc)
		rc = decode_prefixes(c, "destination_prefixes", m->destination_prefixes,
				     m->n_destination_prefixes, &r->snat.destination,
				     &r->snat.n_destination);
	if (!rc)
		rc = check_destinations(c, m);
	r->snat.priority = m->priority;
	r->snat.max_connections = m->max_connections;
	return rc ? rc : fields_check_name(c, "local_address_pool", m->local_address_pool);
}

void fields_free_snat(struct resource *r)
{
	free(r->snat.identity);
	free(r->snat.source);
	free(r->snat.destination);
}
