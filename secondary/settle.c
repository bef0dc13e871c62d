/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: verdicts are carried out. Every packet of the burst leaves here, for one reason.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>
#include <rte_debug.h>

#include "secondary/worker.h"

/* Packets for other workers, gathered by owner; each says in hash.usr which of the two verdicts. */
struct redirects {
	uint16_t n[SL_MAX_WORKERS];
	struct rte_mbuf *pkt[SL_MAX_WORKERS][SL_BURST];
};

/* Buffers that end here, gathered for one free. */
struct dead {
	uint16_t n;
	struct rte_mbuf *pkt[SL_BURST];
};

static void redirect(struct worker *w, struct redirects *r)
{
	for (unsigned int i = 0; i < w->n_workers; i++) {
		unsigned int sent;

		if (!r->n[i])
			continue;
		sent = sl_pool_lend(w->slot->pool, w->root->worker[i]->redirect[w->id], i,
				    r->pkt[i], r->n[i]);
		w->stats->redirect_out += sent;
		if (sent < r->n[i]) {
			count_drop(w, SL_DROP_REDIRECT_FULL, r->n[i] - sent);
			rte_pktmbuf_free_bulk(&r->pkt[i][sent], r->n[i] - sent);
		}
	}
}

void stage_settle(struct worker *w, struct burst *b)
{
	struct redirects away;
	struct dead dead;
	unsigned int left = 0;

	if (likely(b->sent == b->n))
		return;
	dead.n = 0;
	memset(away.n, 0, sizeof(away.n));
	for (unsigned int i = 0; i < b->n; i++) {
		unsigned int argument = b->argument[i];

		switch ((enum verdict)b->verdict[i]) {
		case VERDICT_NONE: left++; break;
		case VERDICT_HELD: break;
		case VERDICT_SEND: tx_put(w, argument, b->pkt[i]); break;
		case VERDICT_REDIRECT:
		case VERDICT_REFUSE:
			b->pkt[i]->hash.usr = b->verdict[i];
			away.pkt[argument][away.n[argument]++] = b->pkt[i];
			break;
		case VERDICT_DROP:
			count_drop(w, argument, 1);
			/* fall through */
		case VERDICT_CONSUME: dead.pkt[dead.n++] = b->pkt[i]; break;
		}
	}
	if (left > b->sent)
		rte_panic("packet left the stages without a verdict\n");
	redirect(w, &away);
	if (dead.n)
		rte_pktmbuf_free_bulk(dead.pkt, dead.n);
}
