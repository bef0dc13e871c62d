/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage: what a packet does to its connection: TTL, TCP state, last_seen, counters. A SYN for a
 * connection that has ended (the client uses its port again) leaves the list and
 * becomes a miss: schedule.c ends the old connection and opens a new one, after the
 * burst's other packets are done with the old entry.
 */
#include "secondary/burst.h"

#include <netinet/in.h>

#include <rte_branch_prediction.h>

#include "secondary/flow_stats.h"
#include "secondary/frame.h"
#include "secondary/icmp.h"
#include "secondary/tcp_state.h"
#include "secondary/worker.h"

static bool ended(uint8_t state)
{
	return state == SL_CONN_TIME_WAIT || state == SL_CONN_CLOSE;
}

/* False: the packet opens a new connection instead. */
static inline bool advance_tcp(struct worker *w, struct sl_conn *e, unsigned int dir,
			       const struct rte_tcp_hdr *tcp)
{
	enum tcp_event event = tcp_event_of(tcp->tcp_flags);
	uint8_t next = tcp_next_state(e->state, dir, event);

	if (unlikely(event == TCP_EVENT_SYN && dir == SL_DIR_IN && ended(e->state)))
		return false;
	if (unlikely(next != e->state))
		conn_set_state(w, e, next);
	return true;
}

/* False: it leaves the list. */
static inline bool advance(struct worker *w, struct burst *b, unsigned int at)
{
	struct rte_mbuf *m = b->pkt[at];
	struct sl_conn *e = b->conn[at];
	unsigned int dir = b->dir[at];

	if (unlikely(frame_ip(m)->time_to_live <= 1)) {
		icmp_error(w, b, at, ICMP_TIME_EXCEEDED, 0);
		burst_drop(b, at, SL_DROP_TTL_EXCEEDED);
		return false;
	}
	if (e->state != SL_CONN_UDP && unlikely(!advance_tcp(w, e, dir, frame_tcp(m)))) {
		list_add(&b->miss, at);
		return false;
	}
	if (unlikely(e->last_seen != w->clock.tick))
		e->last_seen = w->clock.tick;
	flow_stats_packet(w, e, dir, m->pkt_len);
	return true;
}

void stage_state(struct worker *w, struct burst *b, struct list *l)
{
	unsigned int n = l->n, kept = 0;

	for (unsigned int k = 0; k < n; k++) {
		unsigned int at = l->at[k];

		l->at[kept] = (uint8_t)at;
		kept += advance(w, b, at);
	}
	l->n = (uint16_t)kept;
}
