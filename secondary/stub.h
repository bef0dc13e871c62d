/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stubs: entries that say which other worker has a connection. What finds one is passed on to
 * there.
 *
 * A stub with a port. A checkpoint that another number of workers takes up is dealt out anew
 * (primary/deal.c): a connection goes to the worker that now owns its client. The backend's
 * packets go to a local port, whose bits may name another worker now. That one gets a stub, of
 * which only key[OUT] is in the index, and which holds the port, so that no new connection
 * gets it. Its timeout is the longest of all, renewed by each packet. It does not see its
 * connection end: the port rests until then. A connection whose backend says nothing for longer
 * than any timeout, while its client does, loses its port to others.
 *
 * A flow stub. A drained worker passes what is new on, and packets of one tuple for good: drain.h.
 * Only key[IN] is in the index, and is that tuple, of whichever direction.
 *
 * A packet may so cross twice: from where it arrived to the stub, from there to the connection;
 * more often only when it is refused (drain.h). What misses there is dropped (redirect_loop) after
 * a stub with a port, and treated as its worker's own after one of its flow.
 *
 * The state is SL_CONN_NONE. Writer: the worker, as of any entry. If it dies the stub is found
 * again by the rebuild.
 */
#ifndef STUB_H
#define STUB_H

#include <sluice/conn.h>

#include "secondary/burst.h"
#include "secondary/worker.h"

/* The packet was passed on by this stub before, and came back: its worker has nothing for it. */
static inline bool stub_refused(const struct burst *b, unsigned int at,
				const struct sl_conn_core *e)
{
	return b->redirected && sl_conn_is_flow_stub(e) && b->from == e->worker &&
	       b->pkt[at]->hash.usr == VERDICT_REFUSE;
}

/* It found this stub: its verdict is where it goes. False: refused, the stub is of no use to it. */
bool stub_pass_on(struct worker *w, struct burst *b, unsigned int at, struct sl_conn *e);
bool stub_pass_on6(struct worker *w, struct burst *b, unsigned int at, struct sl_conn6 *e);

#endif
