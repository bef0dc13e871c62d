/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbours: address (of either family) on a port -> MAC, a table of the worker's own in its slot
 * (so a replacement knows them at once). Connections hold entry numbers; when an entry is
 * given to another address the worker's epoch moves and they ask again. The epoch is in the slot
 * like the entries: numbers outlive the process.
 *
 * States (RFC 4861 section 7.3.2, used for ARP, too, as kernels do):
 *   incomplete  asked (broadcast, multicast), packets wait; after NEIGH_PROBES: failed
 *   reachable   confirmed by an answer within NEIGH_REACHABLE
 *   stale       older; used as it is, and the first use starts a probe
 *   probe       asked (unicast), still used; after NEIGH_PROBES: incomplete
 *   failed      no answer; packets are dropped for NEIGH_FAILED, then asked anew
 * A stale entry that nobody used for NEIGH_UNUSED is free again.
 *
 * Writer: the worker. An entry exists when its state is not NONE, which is written last; the
 * hash chains are private and rebuilt at start. A MAC changes only while its entry is incomplete,
 * so a worker that dies over it leaves one that is asked for again. Packets that wait are in
 * the slot, too: who takes over on request sends them when the answer comes; those of one
 * that died are lost, and their buffers quarantined with all that it had in its hands.
 */
#ifndef NEIGH_H
#define NEIGH_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/conn.h>
#include <sluice/limits.h>
#include <sluice/msg.h>

struct rte_mbuf;
struct sl_next_hop;
struct worker;

#define NEIGH_PROBES    3
#define NEIGH_RETRY     (1 * SL_TICK_HZ)
#define NEIGH_REACHABLE (30 * SL_TICK_HZ)
#define NEIGH_FAILED    (3 * SL_TICK_HZ)
#define NEIGH_UNUSED    (300 * SL_TICK_HZ)
#define NEIGH_WAITING   8 /* packets that may wait for one neighbour */

enum neigh_state {
	NEIGH_STATE_NONE,
	NEIGH_STATE_INCOMPLETE,
	NEIGH_STATE_REACHABLE,
	NEIGH_STATE_STALE,
	NEIGH_STATE_PROBE,
	NEIGH_STATE_FAILED,
};

struct neigh {
	uint8_t state; /* enum neigh_state */
	uint8_t port;
	uint8_t probes;
	uint8_t reserved;
	uint32_t due; /* tick: of the next probe, or of the state's end */
	struct sl_addr addr;
	struct sl_addr source; /* ours, to ask with */
	uint8_t l2[14];        /* the Ethernet header of a packet to it */
	uint8_t pad[10];
};
static_assert(sizeof(struct neigh) == 64, "one cache line");

struct neigh_waiting {
	uint8_t n;
	struct rte_mbuf *pkt[NEIGH_WAITING];
};

struct neigh_table {
	struct neigh *entry; /* shared; entry 0 is never used */
	uint32_t capacity;
	uint32_t next_free; /* where to look for a free one first */
	uint32_t swept;     /* next entry of the timer's round */
	union {
		struct {
			uint16_t zero;
			uint16_t epoch; /* never 0 */
		};
		uint32_t epoch_alone; /* as the last word of sl_conn_core's that has an epoch */
	};
	uint16_t *head; /* hash chains, private */
	uint16_t *next;
	uint32_t head_mask;
	struct neigh_waiting *waiting; /* shared, by entry; behind the entries */
};

/* Private parts: before the lease is held. 0 or -errno. */
int neigh_prepare(struct worker *w);

/* Entries found in the slot are kept, without their MACs being trusted. */
void neigh_attach(struct worker *w);

/*
 * The entry for `addr` behind `hop`, made (and asked for) when there is none. 0: table full.
 */
uint16_t neigh_get(struct worker *w, const struct sl_next_hop *hop, const struct sl_addr *addr);

/* neigh_send() (worker.h) where the neighbour is not known to be reachable. */
bool neigh_send_unconfirmed(struct worker *w, uint16_t at, struct rte_mbuf *m, uint8_t *why);

/* Only a host on this port's own link can be a neighbour there. */
bool neigh_on_link(const struct worker *w, const struct sl_addr *addr, unsigned int port);

/* Somebody told us its MAC. */
void neigh_learn(struct worker *w, const struct sl_neighbour_event *ev);

/* What other workers heard. */
void neigh_drain_events(struct worker *w);
/* Tell them. */
void neigh_tell_others(struct worker *w, const struct sl_neighbour_event *ev);

/* A tick passed: probes, ends of states; a bounded part of the table. */
void neigh_tick(struct worker *w);

/* Routes changed: connections ask again. */
void neigh_new_epoch(struct worker *w);

/* The former worker died: its packets are lost. Before the buffers are put right. */
void neigh_forget_waiting(struct worker *w);

/* The worker ends for good: packets that wait are dropped by name. */
void neigh_drop_waiting(struct worker *w);

#endif
