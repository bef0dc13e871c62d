/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/stub.h"

#include <rte_branch_prediction.h>

#include <sluice/owner.h>

#include "secondary/pass_on.h"

static bool pass_to(struct worker *w, struct burst *b, unsigned int at, struct sl_conn_core *e,
		    unsigned int to)
{
	if (unlikely(stub_refused(b, at, e)))
		return false;
	e->last_seen = w->clock.tick;
	pass_on(w, b, at, to);
	return true;
}

bool stub_pass_on(struct worker *w, struct burst *b, unsigned int at, struct sl_conn *e)
{
	return pass_to(w, b, at, &e->core,
		       sl_conn_is_flow_stub(&e->core)
			       ? e->core.worker
			       : sl_owner_conn(e, w->root->seed, w->n_workers));
}

bool stub_pass_on6(struct worker *w, struct burst *b, unsigned int at, struct sl_conn6 *e)
{
	return pass_to(w, b, at, &e->core,
		       sl_conn_is_flow_stub(&e->core)
			       ? e->core.worker
			       : sl_owner_conn6(e, w->root->seed, w->n_workers));
}
