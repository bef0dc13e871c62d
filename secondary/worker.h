/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker: one process, one thread, bound to one slot by its lease. What outlives the
 * process is in the slot (shm.h); what is here is private, and rebuilt at start.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include <sluice/limits.h>
#include <sluice/shm.h>

#include "secondary/clock.h"
#include "secondary/conn.h"
#include "secondary/ndp.h"
#include "secondary/neigh.h"
#include "secondary/nexthop_cache.h"
#include "secondary/purge.h"
#include "secondary/tx.h"

struct worker {
	struct sl_root *root;
	struct sl_worker_slot *slot;
	struct sl_worker_stats *stats;       /* slot->stats */
	struct sl_flow_stats *server_stats;  /* slot->virtual_server_stats */
	struct sl_flow_stats *backend_stats; /* slot->backend_stats */
	const struct sl_snapshot *snapshot;  /* in use; NULL before the first is published */
	uint32_t route_epoch;                /* the snapshot's that neighbours were resolved with */
	uint32_t timeout[SL_CONN_STATE_MAX]; /* the snapshot's, ticks */
	unsigned int id;
	unsigned int n_workers;
	unsigned int n_ports;
	uint32_t frame_max[SL_MAX_PORTS]; /* bytes: the MTU and the Ethernet header */
	bool profiling;                   /* see profile.h */
	uint64_t profile_since;           /* TSC of the last mark */
	struct clock clock;
	uint64_t port_mac[SL_MAX_PORTS]; /* as the low 48 bits of a load from a frame */
	struct conn_table conns;         /* IPv4 */
	struct conn_table conns6;        /* IPv6 */
	struct neigh_table neighs;
	struct ndp_announcing announcing;
	struct nexthop_cache nexthops;
	struct tx tx[SL_MAX_PORTS];
	struct {
		uint64_t rx,
			tx; /* packets of its statistics, after which a port's queues are new */
	} port_settled[SL_MAX_PORTS];
	uint64_t *ports_used; /* room to rebuild the pools of local ports: local_port.h */
	uint32_t port_block;  /* local ports among which the workers share ... */
	uint32_t ports_each;  /* ... and how many of them are this one's */
	uint32_t local_turn;  /* which local address of a list is tried first */
	uint32_t *others;     /* per backend id: connections of other workers, as last read */
	uint64_t ramp_draws;  /* of slow start: ramp.h */
	struct {
		bool pending;
		bool noting; /* a pool's backends, which before were searched for one that is known
			      */
		bool first;  /* none of them was */
		uint32_t server, backend; /* next, in the snapshot */
	} ramp_walk;                      /* ramp.h */
	struct fragment_table *fragments; /* in the slot */
	struct purge purge;               /* of connections, on request */
	bool drained;                     /* as slot->worker.drained: drain.h */
	uint32_t spare_turn;              /* where to look for a backend with room: choose.c */
	uint32_t icmp_tokens;             /* ICMP errors that may still be sent in this second */
	uint32_t icmp_second;
	uint16_t ip_id; /* of packets that are ours */
};

/* Still alive, in work that takes longer than a turn. */
static inline void worker_beat(struct worker *w)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	w->slot->worker.heartbeat_ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline void count_drop(struct worker *w, enum sl_drop_reason why, unsigned int n)
{
	w->stats->drops[why] += n;
}

/* Hand a complete frame over to a port. */
static inline void tx_put(struct worker *w, unsigned int port, struct rte_mbuf *m)
{
	struct tx *tx = &w->tx[port];
	uint64_t n;

	__asm__("" : "+r"(tx)); /* its place is not to be worked out twice */
	n = tx->n;
	tx->pkt[n++] = m;
	tx->n = n;
	tx->bytes += m->pkt_len;
	if (unlikely(n == SL_BURST))
		tx_flush_port(w, port);
}

/* The neighbour is known to be there, and the packet is not too big for its link. */
static inline bool neigh_takes(const struct worker *w, const struct neigh *n,
			       const struct rte_mbuf *m)
{
	return n->state == NEIGH_STATE_REACHABLE && m->pkt_len <= w->frame_max[n->port];
}

/* neigh_send() to one whose state is NEIGH_STATE_REACHABLE. */
static inline void neigh_send_reachable(struct worker *w, const struct neigh *n, struct rte_mbuf *m,
					char *frame)
{
	memcpy(frame, n->l2, sizeof(n->l2));
	tx_put(w, n->port, m);
}

/*
 * Send a packet to a neighbour: the first 14 bytes of its frame become its Ethernet header. Takes
 * the packet when it returns true: it is in a transmit buffer or waits. False: *why, still the
 * caller's.
 */
static inline bool neigh_send(struct worker *w, uint16_t at, struct rte_mbuf *m, char *frame,
			      uint8_t *why)
{
	struct neigh *n = &w->neighs.entry[at];

	if (unlikely(n->state != NEIGH_STATE_REACHABLE))
		return neigh_send_unconfirmed(w, at, m, why);
	neigh_send_reachable(w, n, m, frame);
	return true;
}

#endif
