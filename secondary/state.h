/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet does to its connection: TCP state, last_seen, counters. A SYN for a connection
 * that has ended (the client uses its port again) opens a new one instead.
 */
#ifndef STATE_H
#define STATE_H

#include <stdbool.h>

#include <rte_branch_prediction.h>

#include "secondary/flow_stats.h"
#include "secondary/frame.h"
#include "secondary/tcp_state.h"
#include "secondary/worker.h"

/* Of a one-way connection a FIN is the last that is seen for sure. */
static inline bool state_ended(const struct sl_conn_core *e)
{
	return e->state == SL_CONN_TIME_WAIT || e->state == SL_CONN_CLOSE ||
	       (e->state == SL_CONN_FIN_WAIT && e->flags & SL_CONN_F_DIRECT);
}

/* state_tcp() of a segment that may change the state. */
bool state_tcp_event(struct worker *w, struct conn_table *t, struct sl_conn_core *e,
		     unsigned int way, uint8_t flags);

/* `way`: the direction, or TCP_WAY_DIRECT. False: it opens a new connection. */
static inline bool state_tcp(struct worker *w, struct conn_table *t, struct sl_conn_core *e,
			     unsigned int way, uint8_t flags)
{
	if (likely(tcp_changes_nothing(e->state, flags)))
		return true;
	return state_tcp_event(w, t, e, way, flags);
}

/* Of a packet that changes no state. */
static inline void state_datagram(struct worker *w, struct sl_conn_core *e, size_t dir,
				  uint32_t bytes)
{
	if (unlikely(e->last_seen != w->clock.tick))
		e->last_seen = w->clock.tick;
	flow_stats_packet(w, e, dir, bytes);
}

/* `tcp`: where its header is, if it is one. False: nothing was done, it opens a new connection. */
static inline bool state_advance(struct worker *w, struct conn_table *t, struct sl_conn_core *e,
				 unsigned int dir, const struct rte_tcp_hdr *tcp, uint32_t bytes)
{
	if (e->state != SL_CONN_UDP && unlikely(!state_tcp(w, t, e, dir, tcp->tcp_flags)))
		return false;
	state_datagram(w, e, dir, bytes);
	return true;
}

/* The same of a connection of which the client's side alone is seen. */
static inline bool state_advance_direct(struct worker *w, struct conn_table *t,
					struct sl_conn_core *e, const struct rte_tcp_hdr *tcp,
					uint32_t bytes)
{
	if (e->state != SL_CONN_UDP &&
	    unlikely(!state_tcp(w, t, e, TCP_WAY_DIRECT, tcp->tcp_flags)))
		return false;
	state_datagram(w, e, SL_DIR_IN, bytes);
	return true;
}

#endif
