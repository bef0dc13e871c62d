/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/local_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/owner.h>
#include <sluice/shm.h>

#include "secondary/worker.h"

/*
 * The worker's ports in order: position k of a pool <-> port. With n workers and
 * S = n rounded up to a power of two, each block of S ports has those whose low bits
 * are id, id + n, ... (owner.h).
 */
static void share_ports(struct worker *w)
{
	w->port_block = sl_owner_port_mask(w->n_workers) + 1u;
	w->ports_each = (w->port_block - 1 - w->id) / w->n_workers + 1;
}

static inline uint16_t port_at(const struct worker *w, uint32_t k)
{
	uint32_t of_block = 0;

	if (w->ports_each > 1) { /* a division for each new connection, else */
		of_block = k % w->ports_each;
		k /= w->ports_each;
	}
	return (uint16_t)(SL_LOCAL_PORT_MIN + k * w->port_block + w->id + of_block * w->n_workers);
}

static uint32_t position_of(const struct worker *w, uint16_t port)
{
	uint32_t off = port - SL_LOCAL_PORT_MIN;

	return off / w->port_block * w->ports_each + (off % w->port_block - w->id) / w->n_workers;
}

static uint16_t *ring_of(const struct worker *w, uint16_t pool)
{
	return w->slot->port_ring + (size_t)pool * w->slot->ports_per_pool;
}

/* A pool whose address changed starts anew; the old one's connections may live on. */
static void serve(struct sl_port_pool *p, const struct sl_addr *addr)
{
	bool before = !sl_addr_is_none(&p->addr);

	*p = (struct sl_port_pool){.addr = *addr, .shared = before};
}

uint16_t local_port_take(struct worker *w, const struct sl_local_address *local, uint32_t group,
			 uint16_t *pool)
{
	uint32_t pools = w->root->port_pools_per_address;
	uint32_t capacity = w->slot->ports_per_pool;
	uint32_t at = SL_REF_ID(local->ref) * pools + local_port_pick(group, pools);
	struct sl_port_pool *p = &w->slot->port_pool[at];

	if (unlikely(!sl_addr_equal(&p->addr, &local->addr)))
		serve(p, &local->addr);
	*pool = (uint16_t)at;
	if (p->fresh < capacity)
		return port_at(w, p->fresh++);
	if (p->head == p->tail)
		return 0;
	return ring_of(w, (uint16_t)at)[p->head++ % capacity];
}

void local_port_put(struct worker *w, uint16_t pool, const struct sl_addr *addr, uint16_t port)
{
	struct sl_port_pool *p = &w->slot->port_pool[pool];
	uint32_t capacity = w->slot->ports_per_pool;

	if (!sl_addr_equal(&p->addr, addr) || p->tail - p->head >= capacity)
		return;
	ring_of(w, pool)[p->tail % capacity] = port;
	rte_compiler_barrier();
	p->tail++;
}

bool local_port_doubtful(const struct worker *w, uint16_t pool)
{
	return w->slot->port_pool[pool].shared;
}

static size_t words_per_pool(const struct worker *w)
{
	return (w->slot->ports_per_pool + 63) / 64;
}

int local_port_prepare(struct worker *w)
{
	share_ports(w);
	w->ports_used = calloc(w->slot->port_pools * words_per_pool(w), sizeof(uint64_t));
	return w->ports_used ? 0 : -ENOMEM;
}

void local_port_adopt(struct worker *w, uint16_t pool, const struct sl_addr *addr, uint16_t port)
{
	uint32_t k = position_of(w, port);

	if (sl_addr_equal(&w->slot->port_pool[pool].addr, addr))
		w->ports_used[pool * words_per_pool(w) + k / 64] |= UINT64_C(1) << (k % 64);
}

void local_port_restore(struct worker *w, uint16_t pool, const struct sl_addr *addr, uint16_t port)
{
	struct sl_port_pool *p = &w->slot->port_pool[pool];

	if (sl_addr_is_none(&p->addr))
		serve(p, addr);
	if (sl_addr_equal(&p->addr, addr))
		p->fresh = RTE_MAX(p->fresh, position_of(w, port) + 1);
}

/* Ports handed out once and not in use now are the returned ones. */
static void rebuild_pool(struct worker *w, uint16_t pool)
{
	struct sl_port_pool *p = &w->slot->port_pool[pool];
	uint64_t *used = w->ports_used + pool * words_per_pool(w);

	p->head = 0;
	p->tail = 0;
	for (uint32_t k = 0; k < p->fresh; k++)
		if (!(used[k / 64] & UINT64_C(1) << (k % 64)))
			ring_of(w, pool)[p->tail++] = port_at(w, k);
	memset(used, 0, (p->fresh + 63) / 64 * sizeof(*used));
}

void local_port_rebuild(struct worker *w)
{
	for (uint32_t i = 0; i < w->slot->port_pools; i++)
		rebuild_pool(w, (uint16_t)i);
}
