/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections, read from the workers' tables while the workers write them: each entry is copied
 * and checked (sl_conn_read), none is waited for. A page reads a bounded part of the tables, so
 * that a filter that nothing fits does not hold the event loop for millions of entries.
 */
#include "ctrl/rpc/connection.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sluice/conn.h>
#include <sluice/shm.h>

#include "ctrl/model.h"
#include "ctrl/rpc/connection_filter.h"
#include "ctrl/rpc/services.h"
#include "sluice/v1/common.pb-c.h"

#define PAGE_SIZE     100
#define PAGE_SIZE_MAX 1000
#define SCAN_MAX      262144 /* entries looked at for one page */

struct position {
	uint32_t worker;
	uint32_t entry; /* IPv6's follow IPv4's */
};

/* ---- the request ---- */

/* "worker:entry", the next to be looked at. */
static bool read_token(struct rpc_call *call, const char *token, struct position *at)
{
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	char again[32];

	*at = (struct position){0, 0};
	if (!*token)
		return true;
	if (sscanf(token, "%" SCNu32 ":%" SCNu32, &at->worker, &at->entry) == 2) {
		snprintf(again, sizeof(again), "%" PRIu32 ":%" PRIu32, at->worker, at->entry);
		if (!strcmp(token, again) && at->worker < root->n_workers)
			return true;
	}
	rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "page_token: not one of this API");
	return false;
}

/* ---- the answer ---- */

/* A connection of either family, without what only the data path needs. */
struct view {
	uint8_t protocol;
	struct end {
		struct sl_addr addr;
		uint16_t port; /* network byte order */
	} client, virtual, backend, local;
	struct sl_conn_core core;
};

static struct end end4(uint32_t addr, uint16_t port)
{
	return (struct end){sl_addr_of_v4(addr), port};
}

static struct view view4(const struct sl_conn *c)
{
	const struct sl_tuple *in = &c->key[SL_DIR_IN], *out = &c->key[SL_DIR_OUT];
	bool direct = c->core.flags & SL_CONN_F_DIRECT;

	return (struct view){
		.protocol = in->proto,
		.client = end4(in->saddr, in->sport),
		.virtual = end4(in->daddr, in->dport),
		.backend = direct ? (struct end){c->direct.backend, in->dport}
				  : end4(out->saddr, out->sport),
		.local = end4(out->daddr, out->dport),
		.core = c->core,
	};
}

static struct view view6(const struct sl_conn6 *c)
{
	const struct sl_tuple6 *in = &c->key[SL_DIR_IN], *out = &c->key[SL_DIR_OUT];

	return (struct view){
		.protocol = in->proto,
		.client = {in->saddr, in->sport},
		.virtual = {in->daddr, in->dport},
		.backend = {out->saddr, out->sport},
		.local = {out->daddr, out->dport},
		.core = c->core,
	};
}

static bool fits(const struct sl_conn_filter *filter, const struct view *c)
{
	return sl_conn_filter_fits(filter, &c->client.addr, c->protocol, &c->core);
}

uint32_t connection_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)ts.tv_sec * SL_TICK_HZ +
	       (uint32_t)(ts.tv_nsec / (1000000000 / SL_TICK_HZ)) + 1;
}

/* Ticks wrap after 13 years, and the worker may be a tick ahead of us. */
static uint32_t seconds_since(uint32_t tick)
{
	int32_t ticks = (int32_t)(connection_now() - tick);

	return ticks > 0 ? (uint32_t)ticks / SL_TICK_HZ : 0;
}

static char *address_text(struct rpc_call *call, const struct sl_addr *addr)
{
	char *text = rpc_alloc(call, INET6_ADDRSTRLEN);

	if (!text)
		return NULL;
	if (sl_addr_is_v4(addr))
		inet_ntop(AF_INET, &addr->w[3], text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, addr, text, INET6_ADDRSTRLEN);
	return text;
}

static char *name_text(struct rpc_call *call, enum ids_class class, uint32_t ref)
{
	const char *name = model_name(rpc_call_ctrl(call)->model, class, ref);

	return (char *)(name ?: "");
}

static uint8_t mode_of(const struct view *c)
{
	return (uint8_t)sl_conn_mode(&c->core);
}

static void set_endpoints(struct rpc_call *call, Sluice__V1__Connection *m, const struct view *c)
{
	m->client_address = address_text(call, &c->client.addr);
	m->client_port = ntohs(c->client.port);
	m->virtual_address = address_text(call, &c->virtual.addr);
	m->virtual_port = ntohs(c->virtual.port);
	if (sl_conn_has_local_port(&c->core)) {
		m->local_address = address_text(call, &c->local.addr);
		m->local_port = ntohs(c->local.port);
	}
	m->backend_address = address_text(call, &c->backend.addr);
	m->backend_port = ntohs(c->backend.port);
}

static Sluice__V1__Protocol protocol_of(const struct view *c)
{
	switch (c->protocol) {
	case IPPROTO_TCP: return SLUICE__V1__PROTOCOL__PROTOCOL_TCP;
	case IPPROTO_UDP: return SLUICE__V1__PROTOCOL__PROTOCOL_UDP;
	default: return SLUICE__V1__PROTOCOL__PROTOCOL_ICMP;
	}
}

/* Of SNAT the one is a policy, and the other nobody. */
static void set_names(struct rpc_call *call, Sluice__V1__Connection *m, const struct view *c)
{
	char *server = name_text(call, IDS_VIRTUAL_SERVER, c->core.virtual_server);

	if (mode_of(c) == SL_MODE_SNAT) {
		m->snat_policy = *server ? server + strlen(RESOURCE_SNAT_IDENTITY) : server;
		return;
	}
	m->virtual_server = server;
	m->backend = name_text(call, IDS_BACKEND, c->core.backend);
}

/* NULL when the call's memory is used up. */
static Sluice__V1__Connection *connection_view(struct rpc_call *call, uint32_t worker,
					       const struct view *c)
{
	Sluice__V1__Connection *m = rpc_message(call, &sluice__v1__connection__descriptor);

	if (!m)
		return NULL;
	m->worker = worker;
	m->protocol = protocol_of(c);
	set_endpoints(call, m, c);
	m->state = (char *)(c->core.state < SL_CONN_STATE_MAX ? sl_conn_state_names[c->core.state]
							      : "");
	m->mode = (char *)(mode_of(c) < SL_MODE_MAX ? sl_mode_names[mode_of(c)] : "");
	m->idle_seconds = seconds_since(c->core.last_seen);
	m->age_seconds = seconds_since(c->core.opened);
	set_names(call, m, c);
	return m;
}

/* The entry at this place of the two tables, IPv4's first. False: there is none. */
static bool view_at(const struct sl_worker_slot *slot, uint32_t entry, struct view *out)
{
	bool ipv6 = entry >= slot->conns.capacity;
	const struct sl_conn_table *table = ipv6 ? &slot->conns6 : &slot->conns;
	uint32_t i = ipv6 ? entry - slot->conns.capacity : entry;
	union sl_conn_entry copy;

	if (!__atomic_load_n(&table->check[i], __ATOMIC_RELAXED) || !sl_conn_read(table, i, &copy))
		return false;
	*out = ipv6 ? view6(&copy.v6) : view4(&copy.v4);
	return true;
}

uint32_t connection_entries(const struct rpc_call *call, uint32_t worker)
{
	const struct sl_worker_slot *slot = rpc_call_ctrl(call)->root->worker[worker];

	return slot->conns.capacity + slot->conns6.capacity;
}

static bool same_address(const struct sl_addr *a, const struct sl_addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static bool is_key(const struct view *c, const struct connection_key *key)
{
	return c->protocol == key->protocol && c->client.port == key->client_port &&
	       c->virtual.port == key->virtual_port &&
	       same_address(&c->client.addr, &key->client) &&
	       same_address(&c->virtual.addr, &key->virtual);
}

Sluice__V1__Connection *connection_find(struct rpc_call *call, uint32_t worker,
					const struct connection_key *key, uint32_t *entry,
					uint32_t n, uint32_t *passed_to)
{
	const struct sl_worker_slot *slot = rpc_call_ctrl(call)->root->worker[worker];
	uint32_t entries = connection_entries(call, worker);
	struct view c;

	for (; n && *entry < entries; n--, ++*entry) {
		if (!view_at(slot, *entry, &c) || !is_key(&c, key))
			continue;
		if (!(c.core.flags & SL_CONN_F_STUB))
			return connection_view(call, worker, &c);
		if (sl_conn_is_flow_stub(&c.core)) {
			*passed_to = c.core.worker;
			return NULL;
		}
	}
	return NULL;
}

/* Look at entries from *at on, until the page or the bound is full or the tables end. */
static size_t fill_page(struct rpc_call *call, const struct sl_conn_filter *filter,
			struct position *at, Sluice__V1__Connection **page, size_t size)
{
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	unsigned int looked = 0;
	size_t n = 0;

	for (; at->worker < root->n_workers; at->worker++, at->entry = 0) {
		const struct sl_worker_slot *slot = root->worker[at->worker];
		uint32_t entries = slot->conns.capacity + slot->conns6.capacity;

		for (; at->entry < entries; at->entry++) {
			struct view c;

			if (n == size || looked++ == SCAN_MAX)
				return n;
			if (view_at(slot, at->entry, &c) && fits(filter, &c))
				page[n++] = connection_view(call, at->worker, &c);
		}
	}
	return n;
}

void connection_list(struct rpc_call *call)
{
	const Sluice__V1__ListConnectionsRequest *request = (const void *)rpc_call_request(call);
	uint32_t size = request->page_size ?: PAGE_SIZE;
	Sluice__V1__ListConnectionsResponse *response;
	const struct connection_words words = CONNECTION_WORDS(request);
	struct sl_conn_filter filter;
	struct position at;

	if (!connection_filter(call, &words, &filter) ||
	    !read_token(call, request->page_token, &at))
		return;
	if (size > PAGE_SIZE_MAX)
		size = PAGE_SIZE_MAX;
	response = rpc_message(call, &sluice__v1__list_connections_response__descriptor);
	if (response)
		response->connections = rpc_alloc(call, size * sizeof(*response->connections));
	if (response && response->connections) {
		response->n_connections =
			fill_page(call, &filter, &at, response->connections, size);
		if (at.worker < rpc_call_ctrl(call)->root->n_workers)
			response->next_page_token =
				rpc_format(call, "%" PRIu32 ":%" PRIu32, at.worker, at.entry);
	}
	rpc_reply(call, response);
}
