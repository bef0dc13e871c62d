/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * After the holder of a slot died at any instruction. What it leaves, and what is done:
 *
 *   connection entry half written   check[] is 0: it does not exist
 *   index, free stack, port pools   derived again from the entries that exist
 *   gauges per server and backend   counted again with them
 *   rings it produced to            head = tail: what was not published never was
 *   rings it consumed from          head = tail: what was not used comes again
 *   its own buffer pool             whole: the count is the commit point
 *   buffers in its hands            lost: a burst, a transmit buffer a port, packets waiting for
 *                                   neighbours. Not yet taken back (docs/architecture.md)
 *   counters                        each word whole, the last few additions missing
 */
#include "secondary/repair.h"

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
	struct sl_pool *pools[SL_MAX_WORKERS];

	for (unsigned int i = 0; i < w->n_workers; i++) {
		struct sl_worker_slot *peer = w->root->worker[i];

		pools[i] = peer->pool;
		if (i == w->id)
			continue;
		repair_producer(peer->redirect[w->id]);
		repair_producer(peer->neighbour[w->id]);
		repair_consumer(w->slot->redirect[i]);
		repair_consumer(w->slot->neighbour[i]);
	}
	repair_consumer(w->slot->command);
	repair_producer(w->slot->answer);
	sl_pool_repair(pools, w->n_workers, w->id);
}

int repair_slot(struct worker *w)
{
	repair_rings(w);
	w->slot->worker.repairs++;
	return conn_rebuild(w);
}
