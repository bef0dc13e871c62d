/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prefixes nest or are disjoint, so sorted by (start, length) one pass with a stack of open
 * prefixes makes the ranges: a range begins where a prefix begins and, with what lies around it,
 * where a prefix ends.
 */
#include "ctrl/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/shm.h>
#include <sluice/tunnel.h>

#include "ctrl/address.h"
#include "sluice/v1/route.pb-c.h"

struct prefix {
	routes_key start;
	uint8_t length; /* of 128 */
	bool ipv6;
	uint32_t hop;
	const struct resource *from; /* an interface or a route */
};

struct list {
	struct prefix *prefix;
	size_t n;
};

static routes_key key_of(const struct sl_addr *addr)
{
	routes_key key = 0;

	for (int i = 0; i < 4; i++)
		key = key << 32 | ntohl(addr->w[i]);
	return key;
}

static struct sl_addr address_of(routes_key key)
{
	struct sl_addr addr;

	for (int i = 4; i-- > 0; key >>= 32)
		addr.w[i] = htonl((uint32_t)key);
	return addr;
}

static int by_start(const void *a, const void *b)
{
	const struct prefix *p = a, *q = b;

	if (p->start != q->start)
		return p->start < q->start ? -1 : 1;
	return (int)p->length - (int)q->length;
}

static routes_key prefix_end(const struct prefix *p)
{
	return p->length == 128 ? p->start : p->start | ~(routes_key)0 >> p->length;
}

/* ---- flattening ---- */

/* The family's first address and its last. */
static const struct sl_addr lowest[2] = {SL_ADDR_V4(0), {{0}}};
static const struct sl_addr highest[2] = {SL_ADDR_V4(UINT32_MAX),
					  {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}}};

/* A range begins; it replaces one that began at the same place, and joins an equal neighbour. */
static void range_add(struct routes_ranges *r, routes_key start, uint32_t to)
{
	if (r->n && r->start[r->n - 1] == start)
		r->n--;
	if (r->n && r->to[r->n - 1] == to)
		return;
	r->start[r->n] = start;
	r->to[r->n++] = to;
}

/* Prefixes that end before `key`; a prefix that ends with the family has nothing behind it. */
static void close_prefixes(struct routes_ranges *r, const struct prefix **open, int *depth,
			   routes_key key, routes_key last)
{
	while (*depth && prefix_end(open[*depth - 1]) < key) {
		routes_key end = prefix_end(open[--*depth]);

		if (end != last)
			range_add(r, end + 1, *depth ? open[*depth - 1]->hop : SL_NO_ROUTE);
	}
}

/* The prefixes that are still open when the list ends. */
static void close_all(struct routes_ranges *r, const struct prefix **open, int depth,
		      routes_key last)
{
	close_prefixes(r, open, &depth, last, last);
}

static void flatten_family(struct routes_ranges *r, const struct list *list, bool ipv6)
{
	const struct prefix *open[129]; /* a nesting prefix is longer: at most one each length */
	routes_key last = key_of(&highest[ipv6]);
	int depth = 0;

	range_add(r, key_of(&lowest[ipv6]), SL_NO_ROUTE);
	for (size_t i = 0; i < list->n; i++) {
		const struct prefix *p = &list->prefix[i];

		if (p->ipv6 != ipv6)
			continue;
		close_prefixes(r, open, &depth, p->start, last);
		range_add(r, p->start, p->hop);
		open[depth++] = p;
	}
	close_all(r, open, depth, last);
}

/* The list is sorted and has no prefix twice. */
static int flatten(struct routes *routes, const struct list *list)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct routes_ranges *r = &routes->ranges[ipv6];

		free(r->start);
		free(r->to);
		r->start = calloc(2 * list->n + 1, sizeof(*r->start));
		r->to = calloc(2 * list->n + 1, sizeof(*r->to));
		if (!r->start || !r->to)
			return -1;
		r->n = 0;
		flatten_family(r, list, ipv6);
	}
	return 0;
}

const struct sl_next_hop *routes_find(const struct routes *routes, const struct sl_addr *addr)
{
	const struct routes_ranges *r = &routes->ranges[!sl_addr_is_v4(addr)];
	routes_key key = key_of(addr);
	uint32_t lo = 0, hi = r->n;

	while (hi - lo > 1) {
		uint32_t middle = lo + (hi - lo) / 2;

		if (r->start[middle] <= key)
			lo = middle;
		else
			hi = middle;
	}
	return r->to[lo] == SL_NO_ROUTE ? NULL : &routes->hop[r->to[lo]];
}

/* ---- what the routes are ---- */

static int port_of(const struct model *model, const char *interface)
{
	for (unsigned int i = 0; i < model->root->n_ports; i++)
		if (!strcmp(model->root->port[i].name, interface))
			return (int)i;
	return -1;
}

static void add(struct routes *r, struct list *list, const struct resource_prefix *prefix,
		const struct resource *from, struct sl_next_hop hop)
{
	struct sl_addr network = address_network(prefix);

	list->prefix[list->n++] = (struct prefix){
		.start = key_of(&network),
		.length = prefix->length,
		.ipv6 = !sl_addr_is_v4(&prefix->addr),
		.hop = r->n_hops,
		.from = from,
	};
	r->hop[r->n_hops++] = hop;
}

static int add_links(struct routes *r, struct list *list, const struct model *model,
		     struct problem *why)
{
	const struct resource *i = model_after(model, RESOURCE_INTERFACE, "");

	for (; i; i = model_next(i)) {
		int port = port_of(model, i->name);

		if (port < 0)
			return problem_set(why, PROBLEM_FAILED_PRECONDITION,
					   "interfaces[%s]: the boot configuration has no port of "
					   "this name",
					   i->name);
		for (size_t a = 0; a < i->interface.n; a++) {
			const struct resource_prefix *p = &i->interface.address[a];
			struct sl_next_hop hop = {.source = p->addr,
						  .port = (uint8_t)port,
						  .mtu = model->root->port[port].mtu};

			if (!sl_addr_is_v4(&p->addr) && hop.mtu < SL_IPV6_MTU_MIN)
				return problem_set(why, PROBLEM_FAILED_PRECONDITION,
						   "interfaces[%s].addresses: the port's MTU is "
						   "%u, and IPv6 wants %d",
						   i->name, hop.mtu, SL_IPV6_MTU_MIN);
			r->link[r->n_links++] = (struct routes_link){*p, (uint8_t)port, i};
			add(r, list, p, i, hop);
		}
	}
	return 0;
}

/* Sort, and let no two claim a prefix; of an interface's addresses on one link the first sends. */
static int unique(struct list *list, struct problem *why)
{
	char one[RESOURCE_PATH_SIZE], other[RESOURCE_PATH_SIZE], text[ADDRESS_TEXT_SIZE];
	size_t n = 0;

	if (list->n)
		qsort(list->prefix, list->n, sizeof(*list->prefix), by_start);
	for (size_t i = 0; i < list->n; i++) {
		struct prefix *p = &list->prefix[i], *last = n ? &list->prefix[n - 1] : NULL;

		if (!last || by_start(last, p)) {
			list->prefix[n++] = *p;
		} else if (last->from != p->from) {
			struct resource_prefix both = {address_of(p->start), p->length};

			return problem_set(
				why, PROBLEM_ALREADY_EXISTS, "%s: %s/%u is also of %s",
				resource_path(p->from->kind, p->from->name, one),
				address_text(&both.addr, text), address_length(&both),
				resource_path(last->from->kind, last->from->name, other));
		} else if (p->hop < last->hop) {
			*last = *p;
		}
	}
	list->n = n;
	return 0;
}

/* Through which link a route leaves; `links` knows connected routes only. */
static int resolve(const struct routes *links, const struct model *model,
		   const struct resource *route, struct sl_next_hop *hop, struct problem *why)
{
	const char *interface = ((const Sluice__V1__Route *)route->message)->interface;
	const struct sl_addr *gateway = &route->route.gateway;
	const struct sl_next_hop *via = NULL;
	char text[ADDRESS_TEXT_SIZE];

	if (!sl_addr_is_none(gateway) && !sl_addr_is_link_local(gateway)) {
		via = routes_find(links, gateway);
		if (!via || (*interface && via->port != port_of(model, interface)))
			return problem_set(why, PROBLEM_FAILED_PRECONDITION,
					   "routes[%s].gateway: %s is not on the link of %s",
					   route->name, address_text(gateway, text),
					   *interface ? interface : "any interface");
	}
	for (size_t i = 0; !via && i < links->n_links; i++)
		if (!strcmp(links->link[i].interface->name, interface) &&
		    sl_addr_is_v4(&links->link[i].prefix.addr) ==
			    sl_addr_is_v4(&route->route.prefix.addr))
			via = &links->hop[i];
	if (!via)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION, "routes[%s].interface: %s %s",
				   route->name, interface,
				   port_of(model, interface) < 0 ? "does not exist"
								 : "has no address to send from");
	*hop = *via;
	hop->gateway = *gateway;
	return 0;
}

static int add_routes(struct routes *r, struct list *list, const struct model *model,
		      struct problem *why)
{
	const struct resource *route = model_after(model, RESOURCE_ROUTE, "");

	for (; route; route = model_next(route)) {
		struct sl_next_hop hop = {.flags = SL_ROUTE_BLACKHOLE};

		if (!route->route.blackhole && resolve(r, model, route, &hop, why))
			return -1;
		add(r, list, &route->route.prefix, route, hop);
	}
	return 0;
}

static size_t count_prefixes(const struct model *model)
{
	size_t n = model->count[RESOURCE_ROUTE];
	const struct resource *i = model_after(model, RESOURCE_INTERFACE, "");

	for (; i; i = model_next(i))
		n += i->interface.n;
	return n;
}

int routes_build(struct routes *r, const struct model *model, struct problem *why)
{
	size_t room = count_prefixes(model) + 1;
	struct list list = {calloc(room, sizeof(*list.prefix)), 0};
	int rc = -1;

	*r = (struct routes){.link = calloc(room, sizeof(*r->link)),
			     .hop = calloc(room, sizeof(*r->hop))};
	problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	if (list.prefix && r->link && r->hop && !add_links(r, &list, model, why) &&
	    !unique(&list, why) && !flatten(r, &list) && !add_routes(r, &list, model, why) &&
	    !unique(&list, why) && !flatten(r, &list))
		rc = 0;
	free(list.prefix);
	if (rc)
		return -EINVAL;
	why->code = PROBLEM_NONE;
	return 0;
}

void routes_free(struct routes *r)
{
	free(r->link);
	free(r->hop);
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		free(r->ranges[ipv6].start);
		free(r->ranges[ipv6].to);
	}
}
