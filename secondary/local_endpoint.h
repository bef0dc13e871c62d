/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A local address and port of ours for a new connection: what its other side sees, and answers
 * to. Out of a list of local addresses, whose ports come from pools (local_port.h).
 */
#ifndef LOCAL_ENDPOINT_H
#define LOCAL_ENDPOINT_H

#include <sluice/drop.h>
#include <sluice/snapshot.h>

struct conn_new;
struct worker;

/*
 * Destination of key[OUT], whose source is set, and c->port_pool. `list`: uint32_t, positions in
 * the snapshot's local addresses, of which *turn is tried first and left where the next begins.
 * `group`: of other sides, which have ports of their own (local_port.h). MODE_READY (mode.h), or
 * SL_DROP_NO_LOCAL_PORT.
 */
enum sl_drop_reason local_endpoint_take(struct worker *w, struct sl_span list, uint32_t group,
					uint32_t *turn, struct conn_new *c);
enum sl_drop_reason local_endpoint_take6(struct worker *w, struct sl_span list, uint32_t group,
					 uint32_t *turn, struct conn_new *c);

/* The connection could not be opened. */
void local_endpoint_put(struct worker *w, const struct conn_new *c);
void local_endpoint_put6(struct worker *w, const struct conn_new *c);

#endif
