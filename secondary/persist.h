/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Persistence: a client's connections to a virtual server go to one backend, until none was opened
 * or open for the server's timeout. Which backend, a template says (template.h).
 *
 * A template leads nowhere when its backend is gone, is full or carries the overload mark, or is
 * drained and the virtual server has expire_quiescent (without it a drained backend keeps its
 * clients, as with LVS). Then the scheduler chooses, and the template follows.
 *
 * While a connection lasts, the sweep looks at it at least twice in the timeout and extends the
 * template; opening and carrying packets do nothing for that. So the template is there for as
 * long as the connection, and for at least half the timeout afterwards.
 */
#ifndef PERSIST_H
#define PERSIST_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/addr.h>
#include <sluice/snapshot.h>

#include "secondary/worker.h"

/* Does any virtual server want it? */
static inline bool persist_any(const struct worker *w)
{
	return w->snapshot && w->snapshot->persistent_servers.count;
}

/*
 * As choose_claim(), of a virtual server with persistence: by the client's template, which is
 * written or extended.
 */
uint32_t persist_claim(struct worker *w, const struct sl_virtual_server *vs,
		       const struct sl_addr *client, uint64_t hash);

/* A connection was opened: the sweep has to look at it in time. Only where persist_any() is. */
void persist_opened(struct worker *w, struct conn_table *t, uint32_t at);

/*
 * The sweep looks at a connection that is to be looked at again at tick `due`. Extends its client's
 * template; when to look again.
 */
uint32_t persist_keep(struct worker *w, const struct conn_table *t, uint32_t at, uint32_t due);

#endif
