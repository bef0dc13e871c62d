/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's share of the counters of virtual servers and backends: arrays in the slot by
 * stable id. A reference that is not the entry's belongs to a former bearer of the id, and
 * is not counted.
 */
#ifndef FLOW_STATS_H
#define FLOW_STATS_H

#include <rte_branch_prediction.h>

#include <sluice/conn.h>
#include <sluice/snapshot.h>
#include <sluice/stats.h>

#include "secondary/claims.h"
#include "secondary/worker.h"

static inline struct sl_flow_stats *flow_stats_virtual_server(struct worker *w, uint32_t ref)
{
	return &w->server_stats[SL_REF_ID(ref)];
}

static inline struct sl_flow_stats *flow_stats_backend(struct worker *w, uint32_t ref)
{
	return &w->backend_stats[SL_REF_ID(ref)];
}

static inline void flow_stats_claim(struct sl_flow_stats *s, uint32_t ref)
{
	if (s->ref != ref)
		*s = (struct sl_flow_stats){.ref = ref};
}

/* A connection of a former time: counters begin with those who bear the ids now. */
static inline void flow_stats_restored(struct worker *w, const struct sl_conn_core *e)
{
	flow_stats_claim(flow_stats_virtual_server(w, e->virtual_server), e->virtual_server);
	flow_stats_claim(flow_stats_backend(w, e->backend), e->backend);
}

static inline void flow_stats_open(struct sl_flow_stats *s, uint32_t ref)
{
	flow_stats_claim(s, ref);
	s->connections++;
	s->active++;
}

static inline void flow_stats_opened(struct worker *w, const struct sl_conn_core *e)
{
	flow_stats_open(flow_stats_virtual_server(w, e->virtual_server), e->virtual_server);
	flow_stats_open(flow_stats_backend(w, e->backend), e->backend);
}

static inline void flow_stats_gauge(struct sl_flow_stats *s, uint32_t ref, int by)
{
	if (s->ref == ref)
		s->active += (uint32_t)by;
}

/* A connection of a backend is established, or is no longer. */
static inline void flow_stats_established(struct worker *w, const struct sl_conn_core *e, int by)
{
	struct sl_flow_stats *s = flow_stats_backend(w, e->backend);

	if (likely(s->ref == e->backend))
		s->established += (uint32_t)by;
}

static inline void flow_stats_closed(struct worker *w, const struct sl_conn_core *e)
{
	if (unlikely(e->state == SL_CONN_ESTABLISHED))
		flow_stats_established(w, e, -1);
	flow_stats_gauge(flow_stats_virtual_server(w, e->virtual_server), e->virtual_server, -1);
	flow_stats_gauge(flow_stats_backend(w, e->backend), e->backend, -1);
	claims_release(w, e->virtual_server, e->backend);
}

static inline void flow_stats_add(struct sl_flow_stats *s, uint32_t ref, size_t dir, uint64_t bytes)
{
	if (unlikely(s->ref != ref))
		return;
	s->packets[dir]++;
	s->bytes[dir] += bytes;
}

static inline void flow_stats_packet(struct worker *w, const struct sl_conn_core *e, size_t dir,
				     uint64_t bytes)
{
	flow_stats_add(flow_stats_virtual_server(w, e->virtual_server), e->virtual_server, dir,
		       bytes);
	flow_stats_add(flow_stats_backend(w, e->backend), e->backend, dir, bytes);
}

/* The gauges are derived: counted anew when the connections are read again. */
static inline void flow_stats_rebuild_begin(struct worker *w)
{
	for (uint32_t i = 0; i < w->root->max_virtual_servers; i++)
		w->slot->virtual_server_stats[i].active = 0;
	for (uint32_t i = 0; i < w->root->max_backends; i++)
		w->slot->backend_stats[i].active = w->slot->backend_stats[i].established = 0;
}

static inline void flow_stats_readopted(struct worker *w, const struct sl_conn_core *e)
{
	flow_stats_gauge(flow_stats_virtual_server(w, e->virtual_server), e->virtual_server, 1);
	flow_stats_gauge(flow_stats_backend(w, e->backend), e->backend, 1);
	if (e->state == SL_CONN_ESTABLISHED)
		flow_stats_established(w, e, 1);
}

/*
 * They are all read: what is claimed is what is open. Stored only now, so that the other workers
 * never see less than there is.
 */
static inline void flow_stats_rebuild_end(struct worker *w)
{
	const struct sl_flow_stats *s = w->slot->virtual_server_stats;

	for (uint32_t i = 0; i < w->root->max_virtual_servers; i++)
		claims_set(&w->slot->server_claims[i], s[i].ref, s[i].active);
	s = w->slot->backend_stats;
	for (uint32_t i = 0; i < w->root->max_backends; i++)
		claims_set(&w->slot->backend_claims[i], s[i].ref, s[i].active);
}

#endif
