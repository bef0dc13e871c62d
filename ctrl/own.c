/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/own.h"

#include <errno.h>
#include <stdlib.h>

#include <sluice/shm.h>

#include "ctrl/address.h"

static uint32_t place_of(const struct own *own, const struct sl_addr *addr)
{
	uint32_t i = sl_own_hash(sl_addr_fold(addr)) & (own->count - 1);

	while (own->place[i].flags && !sl_addr_equal(&own->place[i].addr, addr))
		i = (i + 1) & (own->count - 1);
	return i;
}

const struct resource *own_find(const struct own *own, const struct sl_addr *addr)
{
	return own->who[place_of(own, addr)];
}

static bool conflict(uint32_t before, uint32_t flag)
{
	return before && ((before | flag) & SL_OWN_LOCAL || (before & flag) == SL_OWN_INTERFACE);
}

static int add(struct own *own, const struct sl_addr *addr, uint32_t flag,
	       const struct resource *who, struct problem *why)
{
	char one[RESOURCE_PATH_SIZE], other[RESOURCE_PATH_SIZE], text[ADDRESS_TEXT_SIZE];
	uint32_t i = place_of(own, addr);
	struct sl_own_address *place = &own->place[i];

	if (conflict(place->flags, flag))
		return problem_set(why, PROBLEM_ALREADY_EXISTS, "%s.address%s: %s is also of %s",
				   resource_path(who->kind, who->name, one),
				   who->kind == RESOURCE_VIRTUAL_SERVER ? "" : "es",
				   address_text(addr, text),
				   resource_path(own->who[i]->kind, own->who[i]->name, other));
	if (!own->who[i])
		own->who[i] = who;
	place->addr = *addr;
	place->flags |= flag;
	return 0;
}

/*
 * A port with an IPv6 address has a link-local one, too (RFC 4291 section 2.1), made of its MAC. It
 * is for that port alone; ports with one MAC share it.
 */
static void add_link_local(struct own *own, const struct model *model,
			   const struct routes_link *link)
{
	struct sl_addr addr = address_link_local(model->root->port[link->port].mac.addr_bytes);
	uint32_t i = place_of(own, &addr);

	own->who[i] = link->interface;
	own->place[i].addr = addr;
	own->place[i].flags = SL_OWN_INTERFACE | SL_OWN_LINK;
	own->place[i].port_mask |= UINT32_C(1) << link->port;
}

static int add_all(struct own *own, const struct model *model, const struct routes *routes,
		   struct problem *why)
{
	const struct resource *r;
	int rc = 0;

	for (size_t i = 0; i < routes->n_links && !rc; i++) {
		rc = add(own, &routes->link[i].prefix.addr, SL_OWN_INTERFACE,
			 routes->link[i].interface, why);
		if (!sl_addr_is_v4(&routes->link[i].prefix.addr))
			add_link_local(own, model, &routes->link[i]);
	}
	r = model_after(model, RESOURCE_VIRTUAL_SERVER, "");
	for (; r && !rc; r = model_next(r))
		for (uint32_t i = 0; i < r->virtual_server.n_endpoints && !rc; i++)
			rc = add(own, &r->virtual_server.endpoint[i].addr, SL_OWN_VIRTUAL, r, why);
	r = model_after(model, RESOURCE_LOCAL_ADDRESS_POOL, "");
	for (; r && !rc; r = model_next(r))
		for (size_t i = 0; i < r->local.n && !rc; i++)
			rc = add(own, &r->local.addr[i], SL_OWN_LOCAL, r, why);
	return rc;
}

/* ARP is answered where the address is on the link, everywhere when it is on none. */
static void set_ports(struct own *own, const struct model *model, const struct routes *routes)
{
	for (uint32_t i = 0; i < own->count; i++) {
		struct sl_own_address *place = &own->place[i];

		if (!place->flags || place->flags & SL_OWN_LINK)
			continue;
		for (size_t l = 0; l < routes->n_links; l++)
			if (address_in(&routes->link[l].prefix, &place->addr))
				place->port_mask |= UINT32_C(1) << routes->link[l].port;
		if (!place->port_mask)
			place->port_mask = (UINT32_C(1) << model->root->n_ports) - 1;
	}
}

static size_t count_addresses(const struct model *model, const struct routes *routes)
{
	const struct resource *r = model_after(model, RESOURCE_VIRTUAL_SERVER, "");
	size_t n = 2 * routes->n_links;

	for (; r; r = model_next(r))
		n += r->virtual_server.n_endpoints;
	for (r = model_after(model, RESOURCE_LOCAL_ADDRESS_POOL, ""); r; r = model_next(r))
		n += r->local.n;
	return n;
}

int own_build(struct own *own, const struct model *model, const struct routes *routes,
	      struct problem *why)
{
	uint32_t count = rte_align32pow2(2 * count_addresses(model, routes) + 1);
	int rc;

	*own = (struct own){
		.place = calloc(count, sizeof(*own->place)),
		.who = calloc(count, sizeof(*own->who)),
		.count = count,
	};
	if (!own->place || !own->who)
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	rc = add_all(own, model, routes, why);
	if (!rc)
		set_ports(own, model, routes);
	return rc;
}

void own_free(struct own *own)
{
	free(own->place);
	free(own->who);
}
