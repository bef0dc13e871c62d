/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * After the holder of a slot died at any instruction. What it leaves, and what is done:
 *
 *   connection entry half written   check[] is 0: it does not exist
 *   index, free stack, port pools   derived again from the entries that exist, but only if the
 *                                   dead one was about to change them (conn_intent)
 *   gauges per server and backend   counted again with them
 *   rings it produced to            head = tail: what was not published never was
 *   rings it consumed from          head = tail: what was not used comes again
 *   its own buffer pool             whole: the count is the commit point
 *   buffers in its hands            the packets are lost: a burst, a transmit buffer a port, those
 *                                   that waited for neighbours. The buffers are quarantined, then
 *                                   taken back or given home (<sluice/pool.h>)
 *   counters                        each word whole, the last few additions missing
 */
#include "secondary/repair.h"

#include <rte_branch_prediction.h>
#include <rte_ring.h>

#include "secondary/worker.h"

static void repair_producer(struct rte_ring *r)
{
	r->prod.head = r->prod.tail;
}

static void repair_consumer(struct rte_ring *r)
{
	r->cons.head = r->cons.tail;
}

static void repair_rings(struct worker *w)
{
	for (unsigned int i = 0; i < w->n_workers; i++) {
		if (i == w->id)
			continue;
		repair_producer(w->root->worker[i]->neighbour[w->id]);
		repair_consumer(w->slot->neighbour[i]);
	}
	repair_consumer(w->slot->command);
	repair_producer(w->slot->answer);
}

static void pools_of(const struct worker *w, struct sl_pool *pools[SL_MAX_WORKERS])
{
	for (unsigned int i = 0; i < w->n_workers; i++)
		pools[i] = w->root->worker[i]->pool;
}

int repair_prepare(const struct worker *w)
{
	struct sl_pool *pools[SL_MAX_WORKERS];

	pools_of(w, pools);
	return sl_pool_prepare(pools, w->n_workers);
}

static void repair_buffers(struct worker *w)
{
	struct rte_ring *out[SL_MAX_WORKERS];
	struct sl_pool *pools[SL_MAX_WORKERS];

	pools_of(w, pools);
	for (unsigned int i = 0; i < w->n_workers; i++)
		out[i] = w->root->worker[i]->redirect[w->id];
	sl_pool_repair(pools, w->n_workers, w->id, w->slot->redirect, out);
}

void repair_slot(struct worker *w)
{
	repair_rings(w);
	neigh_forget_waiting(w);
	repair_buffers(w);
	w->slot->worker.repairs++;
	conn_repair(w);
}

void repair_watch_ports(struct worker *w)
{
	for (unsigned int p = 0; p < w->n_ports; p++) {
		w->port_settled[p].rx = w->stats->port[p].rx_packets + w->root->port[p].rx_held;
		w->port_settled[p].tx = w->stats->port[p].tx_packets + w->root->port[p].tx_held;
	}
}

void repair_settle(struct worker *w)
{
	const struct sl_port_stats *port = w->stats->port;
	struct sl_pool *pools[SL_MAX_WORKERS];

	if (likely(!w->slot->pool->quarantined && !w->slot->pool->quarantined_foreign))
		return;
	for (unsigned int p = 0; p < w->n_ports; p++)
		if (port[p].rx_packets < w->port_settled[p].rx ||
		    port[p].tx_packets < w->port_settled[p].tx)
			return;
	pools_of(w, pools);
	w->stats->buffers_reclaimed += sl_pool_settle(pools, w->n_workers, w->id);
}
