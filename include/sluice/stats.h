/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters in a worker's slot. Writer: the worker that holds the slot's lease,
 * alone; readers: everybody. A reader sees each 64-bit word whole; sums over
 * words are not a snapshot. Counters survive a restart of the worker and
 * are zero only when the primary has created the slot. Packets and bytes count
 * Ethernet frames without FCS.
 */
#ifndef SL_STATS_H
#define SL_STATS_H

#include <assert.h>
#include <stdint.h>

#include <sluice/drop.h>
#include <sluice/limits.h>

/* X(field, name in API and metrics, sentence) */
#define SL_WORKER_COUNTERS(X)                                                                     \
	X(loops, "loops", "turns of the worker's loop")                                           \
	X(busy_cycles, "busy_cycles", "TSC cycles in turns that had work")                        \
	X(idle_cycles, "idle_cycles", "TSC cycles in turns that had none")                        \
	X(connections_opened, "connections_opened", "connections opened")                         \
	X(connections_closed, "connections_closed", "connections ended, by expiry or reuse")      \
	X(redirect_out, "redirect_out", "packets passed to the worker that owns them")            \
	X(redirect_in, "redirect_in", "packets received from other workers")                      \
	X(local_packets, "local_packets", "packets to the appliance itself: ARP, ICMP echo")      \
	X(arp_requests_sent, "arp_requests_sent", "ARP requests sent")                            \
	X(arp_replies_sent, "arp_replies_sent", "ARP replies sent")                               \
	X(icmp_sent, "icmp_sent", "ICMP messages sent: echo replies and errors")                  \
	X(neighbour_events_lost, "neighbour_events_lost",                                         \
	  "neighbour events that found a full ring")                                              \
	X(local_ports_exhausted, "local_ports_exhausted",                                         \
	  "a local address had no port; next tried")                                              \
	X(buffers_returned, "buffers_returned", "own buffers that other workers gave back")       \
	X(buffers_reclaimed, "buffers_reclaimed",                                                 \
	  "own buffers that died with a worker and were taken back")                              \
	X(icmp_related, "icmp_related", "ICMP errors about connections, passed on")               \
	X(ndp_solicitations_sent, "ndp_solicitations_sent", "IPv6 neighbour solicitations sent")  \
	X(ndp_advertisements_sent, "ndp_advertisements_sent",                                     \
	  "IPv6 neighbour advertisements sent")                                                   \
	X(address_conflicts, "address_conflicts", "another host claimed an IPv6 address of ours") \
	X(templates_replaced, "templates_replaced",                                               \
	  "templates of persistence that gave their place to another client's")                   \
	X(fragments_received, "fragments_received",                                               \
	  "fragments that fit into their datagram, counted by who follows it")                    \
	X(fragments_sent, "fragments_sent", "fragments made of packets over the MTU")             \
	X(fragments_displaced, "fragments_displaced",                                             \
	  "datagrams in fragments that gave their place to a newer one of the same hosts")

enum sl_worker_counter {
#define X(field, name, text) SL_WORKER_COUNTER_##field,
	SL_WORKER_COUNTERS(X)
#undef X
		SL_WORKER_COUNTER_MAX
};

/* One worker on one port. */
struct sl_port_stats {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets;
	uint64_t tx_bytes;
};

struct sl_worker_stats {
	/* Counters by enum sl_worker_counter, and by name. */
	union {
		uint64_t counter[SL_WORKER_COUNTER_MAX];
		struct {
#define X(field, name, text) uint64_t field;
			SL_WORKER_COUNTERS(X)
#undef X
		};
	};
	uint64_t drops[SL_DROP_MAX]; /* packets, by enum sl_drop_reason */
	struct sl_port_stats port[SL_MAX_PORTS];
};

/*
 * One worker's share of one virtual server or of one backend. `ref` says whose
 * figures these are: when an id is used again for something else (another
 * generation in the reference, see snapshot.h), the worker zeroes the entry
 * before it counts. A reader skips an entry whose ref is not the one it looks for.
 */
struct sl_flow_stats {
	uint32_t ref;
	uint32_t active;      /* gauge: connections open now, in any state */
	uint64_t connections; /* opened since */
	uint64_t packets[2];  /* by enum sl_conn_dir */
	uint64_t bytes[2];
	uint32_t established; /* gauge of a backend: of `active`, TCP's in state ESTABLISHED */
	uint32_t reserved[3];
};
static_assert(sizeof(struct sl_flow_stats) == 64, "one cache line");

#endif
