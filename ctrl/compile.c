/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/compile.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <sluice/shm.h>

#include "ctrl/cycle.h"
#include "ctrl/plan.h"

#define ALIGN 64

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
	s->virtual_servers = place(&l, p->n_servers, sizeof(struct sl_virtual_server));
	s->virtual_hash = place(&l, p->server_places, sizeof(uint32_t));
	s->backends = place(&l, p->n_backends, sizeof(struct sl_backend));
	s->cycles = place(&l, p->n_picks, sizeof(uint32_t));
	s->local_addresses = place(&l, p->n_local_addresses, sizeof(struct sl_local_address));
	s->local_lists = place(&l, p->n_local_addresses, sizeof(uint32_t));
	s->own_hash = place(&l, p->own.count, sizeof(struct sl_own_address));
	s->route_start = place(&l, p->routes.n, sizeof(uint32_t));
	s->route_hop = place(&l, p->routes.n, sizeof(uint32_t));
	s->next_hops = place(&l, p->routes.n_hops, sizeof(struct sl_next_hop));
	return l.size;
}

static void *at(struct sl_snapshot *s, struct sl_span span)
{
	return (char *)s + span.offset;
}

/* ---- writing ---- */

/* Part of an array of 32-bit words, as a span of its own. */
static struct sl_span part(struct sl_span whole, struct plan_range range)
{
	return (struct sl_span){whole.offset + range.first * (uint32_t)sizeof(uint32_t), range.n};
}

static void write_servers(struct sl_snapshot *s, const struct plan *p)
{
	struct sl_virtual_server *v = at(s, s->virtual_servers);

	for (uint32_t i = 0; i < p->n_servers; i++) {
		const struct plan_server *server = &p->server[i];
		const struct resource *r = server->server;
		const struct plan_pool *pool = &p->pool[server->pool];

		v[i] = (struct sl_virtual_server){
			.ref = r->ref,
			.addr = r->virtual_server.addr,
			.port = r->virtual_server.port,
			.proto = r->virtual_server.proto,
			.scheduler = r->virtual_server.scheduler,
			.mode = r->virtual_server.mode,
			.cycle = part(s->cycles, pool->cycle[r->virtual_server.scheduler]),
			.local = part(s->local_lists, p->local[server->local].addresses),
		};
	}
	memcpy(at(s, s->virtual_hash), p->server_hash, p->server_places * sizeof(uint32_t));
}

static void write_backends(struct sl_snapshot *s, const struct plan *p)
{
	struct sl_backend *b = at(s, s->backends);

	for (uint32_t i = 0; i < p->n_backends; i++)
		b[i] = (struct sl_backend){
			.ref = p->backend[i]->ref,
			.addr = p->backend[i]->backend.addr,
			.port = p->backend[i]->backend.port,
			.weight = p->backend[i]->backend.weight,
		};
}

static int write_cycles(struct sl_snapshot *s, const struct plan *p)
{
	uint32_t *cycles = at(s, s->cycles);

	for (uint32_t i = 0; i < p->n_pools; i++) {
		const struct plan_pool *pool = &p->pool[i];
		uint32_t first = pool->backends.first;

		for (int k = 0; k < SL_SCHED_MAX; k++)
			if (pool->has_cycle[k] && cycle_make(k, &p->weight[first], pool->backends.n,
							     first, &cycles[pool->cycle[k].first]))
				return -ENOMEM;
	}
	return 0;
}

/* A pool's addresses stand together, so the lists are one sequence of positions. */
static void write_locals(struct sl_snapshot *s, const struct plan *p)
{
	struct sl_local_address *local = at(s, s->local_addresses);
	uint32_t *list = at(s, s->local_lists), n = 0;

	for (uint32_t i = 0; i < p->n_locals; i++) {
		const struct resource *r = p->local[i].pool;

		for (size_t k = 0; k < r->local.n; k++, n++) {
			local[n] = (struct sl_local_address){r->local.ref[k], r->local.addr[k]};
			list[n] = n;
		}
	}
}

static void write_routes(struct sl_snapshot *s, const struct plan *p)
{
	memcpy(at(s, s->own_hash), p->own.place, p->own.count * sizeof(*p->own.place));
	memcpy(at(s, s->route_start), p->routes.start, p->routes.n * sizeof(uint32_t));
	memcpy(at(s, s->route_hop), p->routes.to, p->routes.n * sizeof(uint32_t));
	if (p->routes.n_hops)
		memcpy(at(s, s->next_hops), p->routes.hop,
		       p->routes.n_hops * sizeof(*p->routes.hop));
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
	       same_array(a, a->next_hops, b, b->next_hops, sizeof(struct sl_next_hop));
}

/* All of a snapshot is written, the gaps between arrays too, so that bytes can be compared. */
static int write_all(struct sl_snapshot *header, const struct plan *plan,
		     const struct compile_target *target, struct problem *why)
{
	struct sl_snapshot *s = target->out;
	const struct sl_snapshot *before = target->previous;

	memset(s, 0, header->size);
	*s = *header;
	write_servers(s, plan);
	write_backends(s, plan);
	write_locals(s, plan);
	write_routes(s, plan);
	write_timeouts(s, plan->model);
	s->route_epoch = !before ? 1 : before->route_epoch + !same_routes(s, before);
	return write_cycles(s, plan) ? problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory")
				     : 0;
}

int compile(const struct model *model, const struct compile_target *target, struct problem *why)
{
	struct sl_snapshot header = {
		.magic = SL_SNAPSHOT_MAGIC,
		.generation = target->generation,
		.revision = target->revision,
	};
	struct plan plan;
	uint64_t size;
	int rc = plan_make(&plan, model, why);

	if (rc)
		goto out;
	size = lay_out(&header, &plan);
	header.size = (uint32_t)size;
	if (size > target->room || size > UINT32_MAX)
		rc = problem_set(why, PROBLEM_RESOURCE_EXHAUSTED,
				 "limits: snapshot: %zu bytes in the boot configuration, this "
				 "configuration needs %" PRIu64,
				 target->room, size);
	else
		rc = write_all(&header, &plan, target, why);
out:
	plan_free(&plan);
	return rc;
}

bool compile_same(const struct sl_snapshot *a, const struct sl_snapshot *b)
{
	struct sl_snapshot x = *a, y = *b;

	x.generation = y.generation = 0;
	x.route_epoch = y.route_epoch = 0; /* the arrays are compared */
	return a->size == b->size && !memcmp(&x, &y, sizeof(x)) &&
	       !memcmp(a + 1, b + 1, a->size - sizeof(*a));
}
