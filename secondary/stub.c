/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/stub.h"

#include <sluice/owner.h>

#include "secondary/burst.h"
#include "secondary/worker.h"

/*
 * Only own buffers are lent (<sluice/pool.h>): what another worker lent us goes on as a copy. Not
 * rte_pktmbuf_copy(), which copies the buffer's mark, too.
 */
static bool make_own(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at], *copy = rte_pktmbuf_alloc(w->slot->mempool);

	if (!copy)
		return false;
	memcpy(rte_pktmbuf_append(copy, m->data_len), rte_pktmbuf_mtod(m, char *), m->data_len);
	copy->port = m->port;
	copy->ol_flags = m->ol_flags;
	b->pkt[at] = copy;
	rte_pktmbuf_free(m);
	return true;
}

static void pass_on(struct worker *w, struct burst *b, unsigned int at, struct sl_conn_core *e,
		    unsigned int owner)
{
	e->last_seen = w->clock.tick;
	if (b->redirected && !make_own(w, b, at))
		burst_drop(b, at, SL_DROP_NO_BUFFER);
	else
		burst_verdict(b, at, VERDICT_REDIRECT, owner);
}

void stub_pass_on(struct worker *w, struct burst *b, unsigned int at, struct sl_conn *e)
{
	pass_on(w, b, at, &e->core, sl_owner_conn(e, w->root->seed, w->n_workers));
}

void stub_pass_on6(struct worker *w, struct burst *b, unsigned int at, struct sl_conn6 *e)
{
	pass_on(w, b, at, &e->core, sl_owner_conn6(e, w->root->seed, w->n_workers));
}
