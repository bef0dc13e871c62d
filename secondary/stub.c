/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/stub.h"

#include <sluice/owner.h>

#include "secondary/pass_on.h"
#include "secondary/worker.h"

static void pass_to(struct worker *w, struct burst *b, unsigned int at, struct sl_conn_core *e,
		    unsigned int owner)
{
	e->last_seen = w->clock.tick;
	pass_on(w, b, at, owner);
}

void stub_pass_on(struct worker *w, struct burst *b, unsigned int at, struct sl_conn *e)
{
	pass_to(w, b, at, &e->core, sl_owner_conn(e, w->root->seed, w->n_workers));
}

void stub_pass_on6(struct worker *w, struct burst *b, unsigned int at, struct sl_conn6 *e)
{
	pass_to(w, b, at, &e->core, sl_owner_conn6(e, w->root->seed, w->n_workers));
}
