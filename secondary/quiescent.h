/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtual servers with expire_quiescent end their connections to backends that were removed or
 * drained (weight 0). What is needed for that is gathered from a snapshot when the worker
 * switches to it; the sweep then looks at every connection once, within a second.
 */
#ifndef QUIESCENT_H
#define QUIESCENT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include <sluice/conn.h>
#include <sluice/snapshot.h>

#include "secondary/worker.h"

/* Room for it. -ENOMEM. */
int quiescent_prepare(struct worker *w);

/* There is another snapshot. Costs nothing where no virtual server wants it. */
void quiescent_switch(struct worker *w);

/* Has this connection to end? */
static inline bool quiescent_ends(const struct worker *w, const struct sl_conn_core *e)
{
	return unlikely(w->quiescent.any) &&
	       w->quiescent.server[SL_REF_ID(e->virtual_server)] == e->virtual_server &&
	       w->quiescent.backend[SL_REF_ID(e->backend)] != e->backend;
}

#endif
