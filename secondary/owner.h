/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker whose packet this is, by <sluice/owner.h> and the snapshot. Asked of packets that
 * have no connection here, and of those that ICMP errors quote.
 */
#ifndef OWNER_H
#define OWNER_H

#include <sluice/owner.h>
#include <sluice/snapshot.h>

#include <rte_byteorder.h>

#include "secondary/worker.h"

static inline unsigned int owner_of(const struct worker *w, const struct sl_tuple *k)
{
	const struct sl_own_address *own;
	uint64_t seed = w->root->seed;

	if (w->n_workers == 1)
		return w->id;
	own = sl_own_address_find(w->snapshot, k->daddr);
	if (!own)
		return sl_owner_client(k->daddr, k->dport, seed, w->n_workers);
	if (own->flags & SL_OWN_LOCAL && !(own->flags & SL_OWN_VIRTUAL))
		return sl_owner_local_port(rte_be_to_cpu_16(k->dport), w->n_workers);
	return sl_owner_client(k->saddr, k->sport, seed, w->n_workers);
}

static inline unsigned int owner_of6(const struct worker *w, const struct sl_tuple6 *k)
{
	const struct sl_own_address *own;
	uint64_t seed = w->root->seed;

	if (w->n_workers == 1)
		return w->id;
	own = sl_own_address_find_addr(w->snapshot, &k->daddr);
	if (!own)
		return sl_owner_client6(&k->daddr, k->dport, seed, w->n_workers);
	if (own->flags & SL_OWN_LOCAL && !(own->flags & SL_OWN_VIRTUAL))
		return sl_owner_local_port(rte_be_to_cpu_16(k->dport), w->n_workers);
	return sl_owner_client6(&k->saddr, k->sport, seed, w->n_workers);
}

static inline unsigned int owner_of_key(const struct worker *w, const uint64_t key[2])
{
	struct sl_tuple k;

	memcpy(&k, key, sizeof(k));
	return owner_of(w, &k);
}

#endif
