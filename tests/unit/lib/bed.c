/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lib/bed.h"

#include <stdlib.h>
#include <string.h>

#include <sluice/owner.h>

#include "secondary/choose.h"
#include "secondary/fragment_table.h"
#include "secondary/local_port.h"

#define SERVERS          16
#define BACKENDS         64
#define ADDRESSES        8
#define POOLS_PER        2
#define TEMPLATE_BUCKETS 64
#define MAX_IPV6         131072u /* connections */

static void *zeroed(size_t n, size_t size)
{
	void *p = aligned_alloc(64, (n * size + 63) / 64 * 64);

	if (!p)
		abort();
	return memset(p, 0, (n * size + 63) / 64 * 64);
}

static void make_conns(struct sl_conn_table *t, uint32_t entry_size, uint32_t capacity,
		       uint32_t n_buckets)
{
	*t = (struct sl_conn_table){
		.capacity = capacity,
		.bucket_mask = n_buckets - 1,
		.entry_size = entry_size,
		.entry = zeroed(capacity, entry_size),
		.check = zeroed(capacity, sizeof(*t->check)),
		.bucket = zeroed(n_buckets, sizeof(*t->bucket)),
		.free = zeroed(capacity, sizeof(*t->free)),
		.n_free = capacity,
	};
	for (uint32_t i = 0; i < capacity; i++)
		t->free[i] = capacity - 1 - i;
}

static uint32_t count_ports(unsigned int id, unsigned int n_workers)
{
	uint32_t n = 0;

	for (uint32_t p = SL_LOCAL_PORT_MIN; p <= SL_LOCAL_PORT_MAX; p++)
		n += sl_owner_local_port((uint16_t)p, n_workers) == id;
	return n;
}

static void make_slot(struct bed *b, uint32_t capacity, uint32_t n_buckets)
{
	struct sl_worker_slot *s = &b->slot;

	s->port_pools = ADDRESSES * POOLS_PER;
	s->ports_per_pool = count_ports(0, b->root.n_workers);
	s->port_pool = zeroed(s->port_pools, sizeof(*s->port_pool));
	s->port_ring = zeroed((size_t)s->port_pools * s->ports_per_pool, sizeof(*s->port_ring));
	s->cursor = zeroed(SERVERS, sizeof(*s->cursor));
	s->virtual_server_stats = zeroed(SERVERS, sizeof(*s->virtual_server_stats));
	s->backend_stats = zeroed(BACKENDS, sizeof(*s->backend_stats));
	s->server_claims = zeroed(SERVERS, sizeof(*s->server_claims));
	s->backend_claims = zeroed(BACKENDS, sizeof(*s->backend_claims));
	s->ramp = zeroed(BACKENDS, sizeof(*s->ramp));
	s->overload = zeroed(BACKENDS, sizeof(*s->overload));
	s->fragments = zeroed(1, SL_FRAGMENT_BYTES);
	make_conns(&s->conns, sizeof(struct sl_conn), capacity, n_buckets);
	make_conns(&s->conns6, sizeof(struct sl_conn6), RTE_MIN(capacity, MAX_IPV6), n_buckets);
}

void bed_attach(struct bed *b)
{
	struct worker *w = &b->worker;
	uint64_t ns = w->clock.ns;
	uint32_t tick = w->clock.tick;

	free(w->ports_used);
	free(w->others);
	memset(w, 0, sizeof(*w));
	w->root = &b->root;
	w->slot = &b->slot;
	w->stats = &b->slot.stats;
	w->server_stats = b->slot.virtual_server_stats;
	w->backend_stats = b->slot.backend_stats;
	w->snapshot = &b->snapshot;
	memcpy(w->timeout, b->snapshot.timeout, sizeof(w->timeout));
	w->n_workers = b->root.n_workers;
	w->clock.ns = ns;
	w->clock.tick = tick;
	w->neighs.epoch = 1;
	conn_attach(&w->conns, &b->slot.conns, b->root.seed);
	conn_attach(&w->conns6, &b->slot.conns6, b->root.seed);
	w->conns.swept_ns = ns;
	w->conns6.swept_ns = ns;
	fragment_table_attach(w, false);
	if (local_port_prepare(w) || choose_prepare(w))
		abort();
}

struct bed *bed_new(unsigned int n_workers, uint32_t capacity, uint32_t n_buckets)
{
	static const uint32_t seconds[SL_CONN_STATE_MAX] = {
#define X(symbol, name, timeout) [SL_CONN_##symbol] = timeout,
		SL_CONN_STATES(X)
#undef X
	};
	struct bed *b = zeroed(1, sizeof(*b));

	b->root.n_workers = n_workers;
	b->root.seed = UINT64_C(0x123456789abcdef1);
	b->root.max_virtual_servers = SERVERS;
	b->root.max_backends = BACKENDS;
	b->root.max_local_addresses = ADDRESSES;
	b->root.port_pools_per_address = POOLS_PER;
	b->root.worker[0] = &b->slot;
	b->root.templates.bucket = zeroed(TEMPLATE_BUCKETS, sizeof(struct sl_template_bucket));
	b->root.templates.bucket_mask = TEMPLATE_BUCKETS - 1;
	for (int i = 0; i < SL_CONN_STATE_MAX; i++)
		b->snapshot.timeout[i] = seconds[i] * SL_TICK_HZ;
	make_slot(b, capacity, n_buckets);
	b->worker.clock.ns = 1000000000;
	b->worker.clock.tick = SL_TICK_HZ + 1;
	bed_attach(b);
	return b;
}

static void free_conns(struct sl_conn_table *t)
{
	free(t->entry);
	free(t->check);
	free(t->bucket);
	free(t->free);
}

void bed_free(struct bed *b)
{
	struct sl_worker_slot *s = &b->slot;

	free(b->worker.ports_used);
	free(b->worker.others);
	free(b->root.templates.bucket);
	free(s->server_claims);
	free(s->backend_claims);
	free(s->overload);
	free(s->ramp);
	free_conns(&s->conns);
	free_conns(&s->conns6);
	free(s->port_pool);
	free(s->port_ring);
	free(s->cursor);
	free(s->virtual_server_stats);
	free(s->backend_stats);
	free(s->neighbours);
	free(s->fragments);
	free(b->served);
	free(s->command);
	free(s->answer);
	free(b);
}

void bed_die_and_rebuild(struct bed *b)
{
	bed_attach(b);
	conn_rebuild(&b->worker);
}

void bed_pass(struct bed *b, uint32_t ticks)
{
	while (ticks--) {
		b->worker.clock.tick++;
		for (int ms = 0; ms < 1000 / SL_TICK_HZ; ms++) {
			b->worker.clock.ns += 1000000;
			conn_sweep(&b->worker);
		}
	}
}
