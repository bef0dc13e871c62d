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
static bool advance_tcp(struct worker *w, const struct burst *b, unsigned int at)
{
	const struct sl_conn *e = &w->conns.entry[b->conn[at]];
	enum tcp_event event = tcp_event_of(frame_tcp(b->pkt[at])->tcp_flags);
	uint8_t next;

	if (unlikely(event == TCP_EVENT_SYN && b->dir[at] == SL_DIR_IN && ended(e->state)))
		return false;
	next = tcp_next_state(e->state, b->dir[at], event);
	if (unlikely(next != e->state))
		conn_set_state(w, b->conn[at], next);
	return true;
}

/* False: it leaves the list. */
static bool advance(struct worker *w, struct burst *b, unsigned int at)
{
	struct sl_conn *e = &w->conns.entry[b->conn[at]];
	const struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);

	if (unlikely(ip->time_to_live <= 1)) {
		icmp_error(w, b, at, ICMP_TIME_EXCEEDED, 0);
		burst_drop(b, at, SL_DROP_TTL_EXCEEDED);
		return false;
	}
	if (ip->next_proto_id == IPPROTO_TCP && unlikely(!advance_tcp(w, b, at))) {
		list_add(&b->miss, at);
		return false;
	}
	if (e->last_seen != w->clock.tick)
		e->last_seen = w->clock.tick;
	flow_stats_packet(w, e, b->dir[at], b->pkt[at]->pkt_len);
	return true;
}

void stage_state(struct worker *w, struct burst *b, struct list *l)
{
	unsigned int kept = 0;

	for (unsigned int k = 0; k < l->n; k++)
		if (likely(advance(w, b, l->at[k])))
			l->at[kept++] = l->at[k];
	l->n = (uint16_t)kept;
}
