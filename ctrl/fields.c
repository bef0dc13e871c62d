/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/fields.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/snapshot.h>

#include "ctrl/address.h"
#include "ctrl/fields_endpoints.h"
#include "ctrl/fields_scheduling.h"
#include "ctrl/fields_snat.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/common.pb-c.h"
#include "sluice/v1/config.pb-c.h"
#include "sluice/v1/interface.pb-c.h"
#include "sluice/v1/local_address_pool.pb-c.h"
#include "sluice/v1/route.pb-c.h"
#include "sluice/v1/snat_policy.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"

#define EMPTY         ((char *)protobuf_c_empty_string)
#define TIMEOUT_MAX_S 604800 /* a week */
#define GUE_PORT      6080   /* IANA's */
#define MSS_MIN       88     /* with which the smallest MTU of IPv4 hosts still carries data */
#define MSS_MAX       65495

int fields_refuse(const struct fields_context *c, const char *field, const char *format, ...)
{
	char path[RESOURCE_PATH_SIZE], text[sizeof(c->why->text) / 2];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	return problem_set(c->why, PROBLEM_INVALID_ARGUMENT, "%s.%s: %s",
			   resource_path(c->r->kind, c->r->name, path), field, text);
}

static bool name_ok(const char *name)
{
	size_t len = 0;

	for (; name[len]; len++)
		if (!(name[len] >= 'a' && name[len] <= 'z') &&
		    !(name[len] >= '0' && name[len] <= '9') && name[len] != '-')
			return false;
	return len > 0 && len <= RESOURCE_NAME_MAX && name[0] != '-' && name[len - 1] != '-';
}

int fields_check_name(const struct fields_context *c, const char *field, const char *name)
{
	if (name_ok(name))
		return 0;
	if (!*name)
		return fields_refuse(c, field, "is required");
	return fields_refuse(
		c, field,
		"\"%.80s\" is not a name: 1 to %d characters of a-z, 0-9 and -, beginning and "
		"ending with a letter or digit",
		name, RESOURCE_NAME_MAX);
}

int fields_check_host(const struct fields_context *c, const char *field, const char *text,
		      struct sl_addr *addr)
{
	const char *wrong = *text ? address_parse_host(text, addr) : "is required";

	if (!wrong)
		return 0;
	return *text ? fields_refuse(c, field, "\"%.80s\" %s", text, wrong)
		     : fields_refuse(c, field, "%s", wrong);
}

static int decode_virtual_server(const struct fields_context *c, const Sluice__V1__VirtualServer *m)
{
	struct resource *r = c->r;
	int rc;

	if ((rc = fields_check_name(c, "name", m->name)) || (rc = fields_decode_endpoints(c, m)) ||
	    (rc = fields_check_name(c, "backend_pool", m->backend_pool)) ||
	    (*m->local_address_pool &&
	     (rc = fields_check_name(c, "local_address_pool", m->local_address_pool))))
		return rc;
	if (m->max_mss && (m->max_mss < MSS_MIN || m->max_mss > MSS_MAX))
		return fields_refuse(c, "max_mss", "%u is not 0 or in %d..%d", m->max_mss, MSS_MIN,
				     MSS_MAX);
	if (m->max_mss && !fields_any_endpoint(r, IPPROTO_TCP))
		return fields_refuse(c, "max_mss", "is for tcp");
	r->virtual_server.max_mss = m->max_mss;
	return fields_decode_scheduling(c, m);
}

/* `unspecified` is what the field means when it is not there. */
static int decode_mode(const struct fields_context *c, Sluice__V1__ForwardingMode m,
		       uint8_t unspecified, uint8_t *mode)
{
	switch ((int)m) {
	case SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_UNSPECIFIED: *mode = unspecified; break;
	case SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_FULLNAT: *mode = SL_MODE_FULLNAT; break;
	case SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_NAT: *mode = SL_MODE_NAT; break;
	case SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_DR: *mode = SL_MODE_DR; break;
	case SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_IPIP: *mode = SL_MODE_IPIP; break;
	case SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_GRE: *mode = SL_MODE_GRE; break;
	case SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_GUE: *mode = SL_MODE_GUE; break;
	default:
		return fields_refuse(c, "forwarding_mode",
				     "%d is not known: fullnat, nat, dr, ipip, gre or gue", (int)m);
	}
	return 0;
}

static int decode_pool(const struct fields_context *c, const Sluice__V1__BackendPool *m)
{
	int rc = fields_check_name(c, "name", m->name);

	if (!rc)
		rc = decode_mode(c, m->forwarding_mode, SL_MODE_FULLNAT, &c->r->backend_pool.mode);
	return rc ? rc : fields_decode_pool_scheduling(c, m);
}

static int decode_backend(const struct fields_context *c, const char *pool,
			  const Sluice__V1__Backend *m)
{
	struct resource *r = c->r;
	int rc;

	if (!name_ok(pool)) /* of a request for one backend; a pool's own name comes first */
		return problem_set(c->why, PROBLEM_INVALID_ARGUMENT,
				   "backend_pool: \"%.80s\" is not a name", pool);
	if ((rc = fields_check_name(c, "name", m->name)) ||
	    (rc = fields_check_host(c, "address", m->address, &r->backend.addr)))
		return rc;
	if (m->port > UINT16_MAX)
		return fields_refuse(c, "port", "%u is not in 0..65535", m->port);
	r->backend.port = htons(m->port);
	if (m->weight > UINT16_MAX)
		return fields_refuse(c, "weight", "%u is not in 0..65535", m->weight);
	r->backend.weight = m->weight;
	if (m->gue_port > UINT16_MAX)
		return fields_refuse(c, "gue_port", "%u is not in 0..65535", m->gue_port);
	r->backend.tunnel_port = htons(m->gue_port ? m->gue_port : GUE_PORT);
	rc = decode_mode(c, m->forwarding_mode, SL_MODE_MAX, &r->backend.mode);
	return rc ? rc : fields_decode_backend_limit(c, m);
}

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sl_addr));
}

/* 1: *twice is there twice; 0: none is; -ENOMEM. */
static int find_twice(const struct sl_addr *addr, size_t n, struct sl_addr *twice)
{
	struct sl_addr *sorted = malloc(n * sizeof(*sorted));
	int rc = 0;

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, addr, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_value);
	for (size_t i = 1; i < n && !rc; i++) {
		rc = sl_addr_equal(&sorted[i], &sorted[i - 1]);
		*twice = sorted[i];
	}
	free(sorted);
	return rc;
}

static int decode_local(const struct fields_context *c, const Sluice__V1__LocalAddressPool *m)
{
	struct resource *r = c->r;
	char text[ADDRESS_TEXT_SIZE];
	struct sl_addr twice;
	int rc = fields_check_name(c, "name", m->name);

	if (rc)
		return rc;
	if (m->n_addresses == 0)
		return fields_refuse(c, "addresses", "at least one is required");
	r->local.addr = calloc(m->n_addresses, sizeof(*r->local.addr));
	r->local.ref = calloc(m->n_addresses, sizeof(*r->local.ref));
	if (!r->local.addr || !r->local.ref)
		return -ENOMEM;
	r->local.n = m->n_addresses;
	for (size_t i = 0; i < m->n_addresses && !rc; i++) {
		r->local.ref[i] = SL_REF_NONE;
		rc = fields_check_host(c, "addresses", m->addresses[i], &r->local.addr[i]);
	}
	if (rc)
		return rc;
	rc = find_twice(r->local.addr, r->local.n, &twice);
	return rc > 0 ? fields_refuse(c, "addresses", "%s is there twice",
				      address_text(&twice, text))
		      : rc;
}

/* The name is a port's: the model knows which there are. */
static int decode_interface(const struct fields_context *c, const Sluice__V1__Interface *m)
{
	struct resource *r = c->r;

	if (strlen(m->name) < 1 || strlen(m->name) > RESOURCE_NAME_MAX)
		return fields_refuse(c, "name", "is not a port's name: 1 to %d characters",
				     RESOURCE_NAME_MAX);
	if (m->n_addresses > FIELDS_INTERFACE_ADDRESSES)
		return fields_refuse(c, "addresses", "%zu are more than %d", m->n_addresses,
				     FIELDS_INTERFACE_ADDRESSES);
	r->interface.address = calloc(m->n_addresses + 1, sizeof(*r->interface.address));
	if (!r->interface.address)
		return -ENOMEM;
	r->interface.n = m->n_addresses;
	for (size_t i = 0; i < m->n_addresses; i++) {
		const char *wrong =
			address_parse_interface(m->addresses[i], &r->interface.address[i]);

		if (wrong)
			return fields_refuse(c, "addresses", "\"%.80s\" %s", m->addresses[i],
					     wrong);
	}
	return 0;
}

/* A link-local gateway is one on the link that the interface names. */
static int check_gateway(const struct fields_context *c, const Sluice__V1__Route *m)
{
	struct resource *r = c->r;
	const char *wrong = address_parse_gateway(m->gateway, &r->route.gateway);

	if (!wrong && sl_addr_is_v4(&r->route.gateway) != sl_addr_is_v4(&r->route.prefix.addr))
		wrong = "is of another family than the prefix";
	if (!wrong && sl_addr_is_link_local(&r->route.gateway) && !*m->interface)
		wrong = "is link-local: the route has to name an interface, too";
	return wrong ? fields_refuse(c, "gateway", "\"%.80s\" %s", m->gateway, wrong) : 0;
}

static int decode_route(const struct fields_context *c, const Sluice__V1__Route *m)
{
	struct resource *r = c->r;
	const char *wrong;
	int rc = fields_check_name(c, "name", m->name);

	if (rc)
		return rc;
	wrong = address_parse_prefix(m->prefix, &r->route.prefix);
	if (wrong)
		return fields_refuse(c, "prefix", "\"%.80s\" %s", m->prefix, wrong);
	r->route.blackhole = m->blackhole;
	if (m->blackhole && (*m->gateway || *m->interface))
		return fields_refuse(c, "blackhole", "excludes gateway and interface");
	if (!m->blackhole && !*m->gateway && !*m->interface)
		return fields_refuse(c, "gateway", "is required, or interface, or blackhole");
	return *m->gateway ? check_gateway(c, m) : 0;
}

static int decode_timeouts(const struct fields_context *c, const Sluice__V1__Timeouts *m)
{
	const struct {
		const char *field;
		enum sl_conn_state state;
		uint32_t seconds;
	} all[] = {
		{"tcp_syn_sent", SL_CONN_SYN_SENT, m->tcp_syn_sent},
		{"tcp_syn_recv", SL_CONN_SYN_RECV, m->tcp_syn_recv},
		{"tcp_established", SL_CONN_ESTABLISHED, m->tcp_established},
		{"tcp_fin_wait", SL_CONN_FIN_WAIT, m->tcp_fin_wait},
		{"tcp_close_wait", SL_CONN_CLOSE_WAIT, m->tcp_close_wait},
		{"tcp_last_ack", SL_CONN_LAST_ACK, m->tcp_last_ack},
		{"tcp_time_wait", SL_CONN_TIME_WAIT, m->tcp_time_wait},
		{"tcp_close", SL_CONN_CLOSE, m->tcp_close},
		{"udp", SL_CONN_UDP, m->udp},
		{"icmp", SL_CONN_ICMP, m->icmp},
	};

	_Static_assert(SL_CONN_STATE_MAX <= RESOURCE_TIMEOUTS_MAX, "a place for each state");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].seconds > TIMEOUT_MAX_S)
			return fields_refuse(c, all[i].field, "%u is not in 0..%d seconds",
					     all[i].seconds, TIMEOUT_MAX_S);
		c->r->timeout[all[i].state] = all[i].seconds;
	}
	return 0;
}

int fields_decode(struct resource *r, const char *pool, const ProtobufCMessage *message,
		  struct problem *why)
{
	const struct fields_context c = {r, why};
	const void *m = message;

	switch (r->kind) {
	case RESOURCE_INTERFACE: return decode_interface(&c, m);
	case RESOURCE_ROUTE: return decode_route(&c, m);
	case RESOURCE_LOCAL_ADDRESS_POOL: return decode_local(&c, m);
	case RESOURCE_BACKEND_POOL: return decode_pool(&c, m);
	case RESOURCE_BACKEND: return decode_backend(&c, pool, m);
	case RESOURCE_VIRTUAL_SERVER: return decode_virtual_server(&c, m);
	case RESOURCE_TIMEOUTS: return decode_timeouts(&c, m);
	case RESOURCE_SNAT_POLICY: return fields_decode_snat(&c, m);
	case RESOURCE_KIND_MAX: break;
	}
	return problem_set(why, PROBLEM_INTERNAL, "resource kind %d is not known", (int)r->kind);
}

void fields_free(struct resource *r)
{
	if (r->kind == RESOURCE_VIRTUAL_SERVER) {
		free(r->virtual_server.endpoint);
	} else if (r->kind == RESOURCE_LOCAL_ADDRESS_POOL) {
		free(r->local.addr);
		free(r->local.ref);
	} else if (r->kind == RESOURCE_INTERFACE) {
		free(r->interface.address);
	} else if (r->kind == RESOURCE_SNAT_POLICY) {
		fields_free_snat(r);
	}
}

static void clean_virtual_server(Sluice__V1__VirtualServer *m)
{
	m->etag = EMPTY;
	fields_clean_scheduling(m);
}

static void clean_backend(Sluice__V1__Backend *m)
{
	m->etag = EMPTY;
	if (m->optional_weight_case != SLUICE__V1__BACKEND__OPTIONAL_WEIGHT_WEIGHT) {
		m->optional_weight_case = SLUICE__V1__BACKEND__OPTIONAL_WEIGHT_WEIGHT;
		m->weight = 1;
	}
	fields_clean_backend_limit(m);
}

static void clean_pool(Sluice__V1__BackendPool *m)
{
	m->etag = EMPTY;
	m->n_backends = 0;
	m->backends = NULL;
	if (m->forwarding_mode == SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_UNSPECIFIED)
		m->forwarding_mode = SLUICE__V1__FORWARDING_MODE__FORWARDING_MODE_FULLNAT;
}

static void clean_interface(Sluice__V1__Interface *m)
{
	m->etag = EMPTY;
	m->mac = EMPTY;
	m->steering = EMPTY;
	m->mtu = 0;
	m->link_up = 0;
}

void fields_clean(enum resource_kind kind, ProtobufCMessage *message)
{
	void *m = message;

	message->n_unknown_fields = 0;
	message->unknown_fields = NULL;
	switch (kind) {
	case RESOURCE_VIRTUAL_SERVER: clean_virtual_server(m); break;
	case RESOURCE_BACKEND: clean_backend(m); break;
	case RESOURCE_BACKEND_POOL: clean_pool(m); break;
	case RESOURCE_INTERFACE: clean_interface(m); break;
	case RESOURCE_ROUTE: ((Sluice__V1__Route *)m)->etag = EMPTY; break;
	case RESOURCE_LOCAL_ADDRESS_POOL: ((Sluice__V1__LocalAddressPool *)m)->etag = EMPTY; break;
	case RESOURCE_SNAT_POLICY: ((Sluice__V1__SnatPolicy *)m)->etag = EMPTY; break;
	default: break;
	}
}

static void canonical_all(char **text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		address_canonical(text[i]);
}

void fields_canonical(enum resource_kind kind, ProtobufCMessage *message)
{
	void *m = message;
	Sluice__V1__Interface *interface = m;
	Sluice__V1__LocalAddressPool *local = m;
	Sluice__V1__Route *route = m;
	Sluice__V1__SnatPolicy *snat = m;

	switch (kind) {
	case RESOURCE_VIRTUAL_SERVER: fields_canonical_endpoints(m); break;
	case RESOURCE_BACKEND: address_canonical(((Sluice__V1__Backend *)m)->address); break;
	case RESOURCE_INTERFACE: canonical_all(interface->addresses, interface->n_addresses); break;
	case RESOURCE_LOCAL_ADDRESS_POOL:
		canonical_all(local->addresses, local->n_addresses);
		break;
	case RESOURCE_ROUTE: canonical_all((char *[]){route->prefix, route->gateway}, 2); break;
	case RESOURCE_SNAT_POLICY:
		canonical_all(snat->source_prefixes, snat->n_source_prefixes);
		canonical_all(snat->destination_prefixes, snat->n_destination_prefixes);
		break;
	default: break;
	}
}
