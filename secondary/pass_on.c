/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/pass_on.h"

#include "secondary/burst.h"
#include "secondary/fragment.h"
#include "secondary/worker.h"

static bool in_list(uint32_t packets, unsigned int at)
{
	return packets >> at & 1;
}

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

static void hand_over(struct worker *w, struct burst *b, unsigned int at, enum verdict verdict,
		      unsigned int to)
{
	if (b->pkt[at]->pool != w->slot->mempool && !make_own(w, b, at)) {
		burst_drop(b, at, SL_DROP_NO_BUFFER);
		return;
	}
	if (in_list(b->fragments, at))
		fragment_mark_again(w, b, at);
	burst_verdict(b, at, verdict, to);
}

void pass_on(struct worker *w, struct burst *b, unsigned int at, unsigned int to)
{
	hand_over(w, b, at, VERDICT_REDIRECT, to);
}

void pass_back(struct worker *w, struct burst *b, unsigned int at, unsigned int owner)
{
	hand_over(w, b, at, VERDICT_REFUSE, owner);
}

void pass_to_owner(struct worker *w, struct burst *b, unsigned int at, unsigned int owner)
{
	/* who follows a datagram gets its packets from others, and passes them on */
	if (b->redirected && !in_list(b->followed, at))
		burst_drop(b, at, SL_DROP_REDIRECT_LOOP);
	else
		pass_on(w, b, at, owner);
}
