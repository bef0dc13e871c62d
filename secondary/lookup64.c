/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: replies over IPv4 to clients over IPv6. Connections of FullNAT64 stand in IPv6's table,
 * the reply's tuple in IPv4-mapped addresses. A packet that IPv4's table does not know, to a port
 * of a local address that is this worker's, goes on with the packets over IPv6, so that its bucket
 * and entry are asked for like theirs; so does one that was redirected, which a stub may have
 * passed on (stub.h). All others stay where they are; and where no connection is over IPv6, nothing
 * is asked of any.
 */
#include "secondary/burst.h"

#include <rte_branch_prediction.h>

#include "secondary/conn6.h"
#include "secondary/frame.h"
#include "secondary/owner.h"
#include "secondary/worker.h"

/* A local address is nothing else (ctrl/own.c), so that no virtual server is kept waiting. */
static bool to_local_port(const struct worker *w, const struct burst *b, const struct sl_tuple *k)
{
	const struct sl_own_address *own = sl_own_address_find(w->snapshot, k->daddr);

	return own && own->flags & SL_OWN_LOCAL && (b->redirected || owner_of(w, k) == w->id);
}

/* The same that parse leaves of a packet over IPv6. */
static void take_key(struct worker *w, struct burst *b, unsigned int at, const struct sl_tuple *k)
{
	struct sl_tuple6 mapped = conn6_mapped(k);

	conn6_words(&mapped, b->key6[at]);
	b->hash[at] = conn6_hash(&w->conns6, b->key6[at]);
	b->l4[at] = FRAME_L4;
	conn_prefetch_bucket(&w->conns6, b->hash[at]);
	list_add(&b->flow6, at);
}

void stage_lookup64(struct worker *w, struct burst *b)
{
	unsigned int n = b->miss.n;

	if (likely(!conn_count(&w->conns6)))
		return;
	b->miss.n = 0;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int at = b->miss.at[i];
		struct sl_tuple k;

		memcpy(&k, b->key[at], sizeof(k));
		if (to_local_port(w, b, &k))
			take_key(w, b, at, &k);
		else
			list_add(&b->miss, at);
	}
}
