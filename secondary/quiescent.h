/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtual servers with expire_quiescent end their connections to backends that were removed or
 * drained (weight 0). The snapshot says which they are; after a switch the sweep looks at every
 * connection once, within a second.
 */
#ifndef QUIESCENT_H
#define QUIESCENT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include <sluice/conn.h>
#include <sluice/snapshot.h>

#include "secondary/worker.h"

/* Is it in one of the snapshot's tables of references by id? */
static inline bool quiescent_lists(const struct sl_snapshot *s, struct sl_span table, uint32_t ref)
{
	const uint32_t *by_id = sl_snapshot_at(s, table);

	return SL_REF_ID(ref) < table.count && by_id[SL_REF_ID(ref)] == ref;
}

/* Has this connection to end? */
static inline bool quiescent_ends(const struct worker *w, const struct sl_conn_core *e)
{
	const struct sl_snapshot *s = w->snapshot;

	return s && unlikely(s->quiescent_servers.count) &&
	       quiescent_lists(s, s->quiescent_servers, e->virtual_server) &&
	       !quiescent_lists(s, s->taking_backends, e->backend);
}

#endif
