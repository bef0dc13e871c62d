/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/compile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/shm.h>
#include <sluice/snat.h>

#include "ctrl/address.h"
#include "ctrl/plan.h"

#define ALIGN 64

struct compiler {
	struct plan *plan;
};

/* ---- where things stand ---- */

struct layout {
	uint64_t size;
};

/* 64-bit sums: a span is only used when the whole has fitted a 32-bit size. */
static struct sl_span place(struct layout *layout, uint64_t count, size_t element)
{
	struct sl_span span = {(uint32_t)layout->size, (uint32_t)count};

	layout->size = (layout->size + count * element + ALIGN - 1) / ALIGN * ALIGN;
	return span;
}

static uint64_t lay_out(struct sl_snapshot *s, const struct plan *p)
{
	struct layout l = {0};

	place(&l, 1, sizeof(*s));
	s->virtual_servers = place(&l, p->n_endpoints, sizeof(struct sl_virtual_server));
	s->virtual_hash = place(&l, p->server_places, sizeof(uint32_t));
	s->port_ranges = place(&l, p->n_ranges, sizeof(struct sl_port_range));
	s->ranges_hash = place(&l, p->ranges_places, sizeof(struct sl_port_ranges));
	s->backends = place(&l, p->n_backends, sizeof(struct sl_backend));
	s->cycles = place(&l, p->n_picks, sizeof(uint32_t));
	s->local_addresses = place(&l, p->n_local_addresses, sizeof(struct sl_local_address));
	s->local_lists = place(&l, p->n_local_addresses, sizeof(uint32_t));
	s->own_hash = place(&l, p->own.count, sizeof(struct sl_own_address));
	s->route_start = place(&l, p->routes.ranges[0].n, sizeof(uint32_t));
	s->route_hop = place(&l, p->routes.ranges[0].n, sizeof(uint32_t));
	s->route6_start = place(&l, p->routes.ranges[1].n, sizeof(struct sl_route6_start));
	s->route6_hop = place(&l, p->routes.ranges[1].n, sizeof(uint32_t));
	s->next_hops = place(&l, p->routes.n_hops, sizeof(struct sl_next_hop));
	if (p->quiescent) {
		s->quiescent_servers =
			place(&l, p->model->root->max_virtual_servers, sizeof(uint32_t));
		s->taking_backends = place(&l, p->model->root->max_backends, sizeof(uint32_t));
	}
	if (p->persistent) {
		s->persistent_servers =
			place(&l, p->model->root->max_virtual_servers, sizeof(uint32_t));
		s->backend_places = place(&l, p->model->root->max_backends, sizeof(uint32_t));
	}
	s->snat_policies = place(&l, p->n_snat, sizeof(struct sl_snat_policy));
	s->snat_prefixes = place(&l, p->n_snat_prefixes, sizeof(struct sl_prefix));
	return l.size;
}

static void *at(struct sl_snapshot *s, struct sl_span span)
{
	return (char *)s + span.offset;
}

/* ---- writing ---- */

/* Part of an array, as a span of its own. */
static struct sl_span part(struct sl_span whole, uint32_t first, uint32_t n, size_t element)
{
	return (struct sl_span){whole.offset + first * (uint32_t)element, n};
}

static void write_persistence(const struct resource *r, struct sl_virtual_server *out)
{
	static const struct sl_addr all = {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};
	const uint8_t *length = r->virtual_server.persistence_prefix;
	const struct resource_prefix prefix[2] = {
		{.addr = all, .length = (uint8_t)(ADDRESS_V4_BITS + length[0])},
		{.addr = all, .length = length[1]},
	};

	out->persistent = r->virtual_server.persistence != 0;
	if (!out->persistent)
		return;
	out->persistence.leaves_drained = r->virtual_server.expire_quiescent;
	out->persistence.timeout = r->virtual_server.persistence * SL_TICK_HZ;
	for (int family = 0; family < 2; family++)
		out->persistence.mask[family] = address_network(&prefix[family]);
}

static void write_server(const struct sl_snapshot *s, const struct plan *p,
			 const struct plan_endpoint *endpoint, struct sl_virtual_server *out)
{
	const struct plan_server *server = endpoint->of;
	const struct resource *r = server->server;
	const struct plan_pool *pool = &p->pool[server->pool];
	const struct cycle *cycle = pool->cycle[r->virtual_server.scheduler];

	out->ref = r->ref;
	out->addr = endpoint->at->addr;
	out->port = resource_endpoint_is_exact(endpoint->at) ? htons(endpoint->at->port) : 0;
	out->proto = endpoint->at->proto;
	out->scheduler = r->virtual_server.scheduler;
	out->hash_key = r->virtual_server.hash_key;
	out->quic_id = r->virtual_server.quic_id;
	write_persistence(r, out);
	out->slow_start = pool->slow_start * SL_TICK_HZ;
	out->max_connections = r->virtual_server.max_connections;
	out->max_mss = out->proto == IPPROTO_TCP ? r->virtual_server.max_mss : 0;
	out->backends = part(s->backends, pool->first, pool->n, sizeof(struct sl_backend));
	out->cycle = part(s->cycles, cycle->first, cycle->length, sizeof(uint32_t));
	if (server->local != PLAN_NO_LOCAL) {
		bool ipv6 = !sl_addr_is_v4(&out->addr);
		struct plan_range local = plan_locals(&p->local[server->local], ipv6);

		out->local = part(s->local_lists, local.first, local.n, sizeof(uint32_t));
		if (ipv6)
			out->n_local_v4 = (uint16_t)p->local[server->local].n_ipv4;
	}
}

static void write_servers(struct sl_snapshot *s, const struct plan *p)
{
	struct sl_virtual_server *v = at(s, s->virtual_servers);

	for (uint32_t i = 0; i < p->n_endpoints; i++)
		write_server(s, p, &p->endpoint[i], &v[i]);
	memcpy(at(s, s->virtual_hash), p->server_hash, p->server_places * sizeof(uint32_t));
	memcpy(at(s, s->port_ranges), p->range, p->n_ranges * sizeof(*p->range));
	memcpy(at(s, s->ranges_hash), p->ranges_hash, p->ranges_places * sizeof(*p->ranges_hash));
}

static void write_pools(struct sl_snapshot *s, const struct plan *p)
{
	struct sl_backend *b = at(s, s->backends);
	uint32_t *pick = at(s, s->cycles);

	for (uint32_t i = 0; i < p->n_pools; i++)
		if (plan_pool_used(&p->pool[i]) && p->pool[i].n)
			memcpy(&b[p->pool[i].first], p->pool[i].backend, p->pool[i].n * sizeof(*b));
	for (uint32_t i = 0; i < p->n_cycles; i++)
		memcpy(&pick[p->cycle[i]->first], p->cycle[i]->pick,
		       p->cycle[i]->length * sizeof(*pick));
}

/* A pool's addresses stand together, and so do its lists: IPv4's positions, then IPv6's. */
static void write_locals(struct sl_snapshot *s, const struct plan *p)
{
	struct sl_local_address *local = at(s, s->local_addresses);
	uint32_t *list = at(s, s->local_lists), n = 0;

	for (uint32_t i = 0; i < p->n_locals; i++) {
		const struct resource *r = p->local[i].pool;
		uint32_t next[2] = {plan_locals(&p->local[i], false).first,
				    plan_locals(&p->local[i], true).first};

		for (size_t k = 0; k < r->local.n; k++, n++) {
			local[n] = (struct sl_local_address){
				.ref = r->local.ref[k],
				.addr = r->local.addr[k],
			};
			list[next[!sl_addr_is_v4(&r->local.addr[k])]++] = n;
		}
	}
}

static void write_routes(struct sl_snapshot *s, const struct plan *p)
{
	const struct routes_ranges *v4 = &p->routes.ranges[0], *v6 = &p->routes.ranges[1];
	struct sl_route6_start *start6 = at(s, s->route6_start);
	uint32_t *start = at(s, s->route_start);

	memcpy(at(s, s->own_hash), p->own.place, p->own.count * sizeof(*p->own.place));
	for (uint32_t i = 0; i < v4->n; i++)
		start[i] = (uint32_t)v4->start[i];
	memcpy(at(s, s->route_hop), v4->to, v4->n * sizeof(uint32_t));
	for (uint32_t i = 0; i < v6->n; i++)
		start6[i] = (struct sl_route6_start){.high = (uint64_t)(v6->start[i] >> 64),
						     .low = (uint64_t)v6->start[i]};
	memcpy(at(s, s->route6_hop), v6->to, v6->n * sizeof(uint32_t));
	if (p->routes.n_hops)
		memcpy(at(s, s->next_hops), p->routes.hop,
		       p->routes.n_hops * sizeof(*p->routes.hop));
}

static void write_quiescent(struct sl_snapshot *s, const struct plan *p)
{
	uint32_t *server = at(s, s->quiescent_servers), *taking = at(s, s->taking_backends);
	const struct sl_backend *b = at(s, s->backends);

	if (!p->quiescent)
		return;
	memset(server, 0xff, s->quiescent_servers.count * sizeof(*server)); /* SL_REF_NONE */
	memset(taking, 0xff, s->taking_backends.count * sizeof(*taking));
	for (uint32_t i = 0; i < p->n_servers; i++)
		if (p->server[i].server->virtual_server.expire_quiescent)
			server[SL_REF_ID(p->server[i].server->ref)] = p->server[i].server->ref;
	for (uint32_t i = 0; i < s->backends.count; i++)
		if (b[i].weight)
			taking[SL_REF_ID(b[i].ref)] = b[i].ref;
}

static void write_persistent(struct sl_snapshot *s, const struct plan *p)
{
	uint32_t *server = at(s, s->persistent_servers), *place = at(s, s->backend_places);
	const struct sl_virtual_server *v = at(s, s->virtual_servers);
	const struct sl_backend *b = at(s, s->backends);

	if (!p->persistent)
		return;
	memset(server, 0xff, s->persistent_servers.count * sizeof(*server));
	memset(place, 0xff, s->backend_places.count * sizeof(*place));
	for (uint32_t i = 0; i < s->virtual_servers.count; i++)
		if (v[i].persistent)
			server[SL_REF_ID(v[i].ref)] = i;
	for (uint32_t i = 0; i < s->backends.count; i++)
		place[SL_REF_ID(b[i].ref)] = i;
}

static void write_timeouts(struct sl_snapshot *s, const struct model *model)
{
	static const uint32_t defaults[SL_CONN_STATE_MAX] = {
#define X(symbol, name, seconds) [SL_CONN_##symbol] = seconds,
		SL_CONN_STATES(X)
#undef X
	};
	const struct resource *r = model_find(model, RESOURCE_TIMEOUTS, RESOURCE_TIMEOUTS_NAME);

	for (int i = 0; i < SL_CONN_STATE_MAX; i++) {
		uint32_t seconds = r && r->timeout[i] ? r->timeout[i] : defaults[i];

		s->timeout[i] = seconds * SL_TICK_HZ;
	}
}

static bool same_array(const struct sl_snapshot *a, struct sl_span x, const struct sl_snapshot *b,
		       struct sl_span y, size_t element)
{
	return x.count == y.count &&
	       !memcmp(sl_snapshot_at(a, x), sl_snapshot_at(b, y), x.count * element);
}

static bool same_routes(const struct sl_snapshot *a, const struct sl_snapshot *b)
{
	return same_array(a, a->route_start, b, b->route_start, sizeof(uint32_t)) &&
	       same_array(a, a->route_hop, b, b->route_hop, sizeof(uint32_t)) &&
	       same_array(a, a->route6_start, b, b->route6_start, sizeof(struct sl_route6_start)) &&
	       same_array(a, a->route6_hop, b, b->route6_hop, sizeof(uint32_t)) &&
	       same_array(a, a->next_hops, b, b->next_hops, sizeof(struct sl_next_hop));
}

static bool same_own(const struct sl_snapshot *a, const struct sl_snapshot *b)
{
	return same_array(a, a->own_hash, b, b->own_hash, sizeof(struct sl_own_address));
}

/* All of a snapshot is written, the gaps between arrays too, so that bytes can be compared. */
static void write_all(struct sl_snapshot *header, const struct plan *plan,
		      const struct compile_target *target)
{
	struct sl_snapshot *s = target->out;
	const struct sl_snapshot *before = target->previous;

	memset(s, 0, header->size);
	*s = *header;
	write_servers(s, plan);
	write_pools(s, plan);
	write_locals(s, plan);
	write_routes(s, plan);
	write_quiescent(s, plan);
	write_persistent(s, plan);
	compile_snat(s, plan);
	write_timeouts(s, plan->model);
	s->route_epoch = !before ? 1 : before->route_epoch + !same_routes(s, before);
	s->own_epoch = !before ? 1 : before->own_epoch + !same_own(s, before);
}

int compile(struct compiler *compiler, const struct compile_target *target, struct problem *why)
{
	const struct plan *plan = compiler->plan;
	struct sl_snapshot header = {
		.magic = SL_SNAPSHOT_MAGIC,
		.generation = target->generation,
		.revision = target->revision,
		.content = compiler->plan->model->hash,
	};
	uint64_t size;

	if (plan_update(compiler->plan, why))
		return -EINVAL;
	size = lay_out(&header, plan);
	header.size = (uint32_t)size;
	if (size > target->room || size > UINT32_MAX)
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED,
				   "limits: snapshot: %zu bytes in the boot configuration, this "
				   "configuration needs %" PRIu64,
				   target->room, size);
	write_all(&header, plan, target);
	return 0;
}

void compile_keep(struct compiler *compiler)
{
	plan_keep(compiler->plan);
}

struct compiler *compiler_new(const struct model *model)
{
	struct compiler *compiler = calloc(1, sizeof(*compiler));

	if (!compiler)
		return NULL;
	compiler->plan = plan_new(model);
	if (compiler->plan)
		return compiler;
	free(compiler);
	errno = ENOMEM;
	return NULL;
}

void compiler_free(struct compiler *compiler)
{
	if (!compiler)
		return;
	plan_free(compiler->plan);
	free(compiler);
}

bool compile_same(const struct sl_snapshot *a, const struct sl_snapshot *b)
{
	struct sl_snapshot x = *a, y = *b;

	x.generation = y.generation = 0;
	x.route_epoch = y.route_epoch = 0; /* the arrays are compared */
	x.own_epoch = y.own_epoch = 0;
	return a->size == b->size && !memcmp(&x, &y, sizeof(x)) &&
	       !memcmp(a + 1, b + 1, a->size - sizeof(*a));
}
