/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams that come in fragments. The first fragment names the ports; the others are matched to
 * it by addresses, identification and, over IPv4, protocol, and go the same way: nothing is put
 * together. Those that come before the first wait for it.
 *
 * Room is bounded, and whoever asks for much takes it from himself: a pair of addresses has one set
 * of FRAGMENT_WAYS places, where the oldest datagram gives way to a new one; and of all that wait,
 * the oldest gives way. A datagram has FRAGMENTS_MAX fragments at most and FRAGMENT_TIMEOUT ticks,
 * which is long for packets sent at once and short for who wants to fill the table.
 *
 * No byte passes twice: a fragment that is there already is dropped, and one that overlaps another
 * takes the rest of its datagram with it (RFC 5722, RFC 8200 section 4.5), so that what
 * the backend puts together is what was checked here. The first has to have the whole transport
 * header (RFC 1858, RFC 7112).
 *
 * Writer: the worker that holds the lease; nobody else reads. On a hand-over the next one goes on
 * with all of it. If the writer dies, fragment_table_attach() forgets it: buffers that waited are
 * quarantined as all are that were in its hands, and of the datagrams under way the rest is lost,
 * which IP allows.
 */
#ifndef FRAGMENT_TABLE_H
#define FRAGMENT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/addr.h>
#include <sluice/drop.h>

struct rte_mbuf;
struct worker;

#define FRAGMENT_SETS    64 /* powers of two */
#define FRAGMENT_WAYS    32
#define FRAGMENTS_MAX    128 /* of a datagram: 64 KiB in pieces of 576 bytes are 119 */
#define FRAGMENT_WAITING 256 /* packets that wait, of all datagrams */
#define FRAGMENT_TIMEOUT 20  /* ticks since the datagram's first packet came */

#define FRAGMENT_TAKEN   SL_DROP_MAX /* no reason to drop */

/* What fragments of a datagram have in common. IPv4 addresses as IPv4-mapped ones. */
struct fragment_key {
	struct sl_addr source;
	struct sl_addr destination;
	uint32_t id;    /* as it stands in the packet */
	uint32_t proto; /* of IPv4; 0 over IPv6, RFC 8200 section 4.5 */
};

/* Which bytes of a datagram a fragment has, from `first` up to before `end`. */
struct fragment_range {
	uint16_t first;
	uint16_t end;
};

/* What the first fragment says. Network byte order. */
struct fragment_flow {
	uint8_t proto; /* the transport's */
	uint16_t sport, dport;
};

enum fragment_state {
	FRAGMENT_FREE,
	FRAGMENT_WAITS, /* for its first fragment */
	FRAGMENT_KNOWN,
	FRAGMENT_BROKEN, /* an overlap: nothing of it passes any more */
};

struct fragment_datagram {
	struct fragment_key key;
	struct fragment_flow flow; /* while KNOWN */
	uint8_t state;             /* enum fragment_state */
	uint8_t n;                 /* fragments in range[] */
	uint32_t born;             /* tick */
	uint32_t length;           /* bytes, once the last fragment came; 0 before */
	uint32_t bytes;            /* of these, there */
	uint32_t waits;            /* its oldest waiting packet; 0: none */
	uint32_t waits_last;
	struct fragment_range range[FRAGMENTS_MAX]; /* ascending */
};

/* A packet that waits. Number n stands at place n % FRAGMENT_WAITING. */
struct fragment_wait {
	struct rte_mbuf *m; /* NULL: no more */
	uint32_t datagram;
	uint32_t next; /* number of the datagram's next one; 0: none */
};

struct fragment_table {
	uint32_t live;      /* datagrams */
	uint32_t wait_tail; /* the oldest number that may wait still; numbers begin at 1 */
	uint32_t wait_head; /* the next number */
	uint32_t n_ready;
	uint32_t tag[FRAGMENT_SETS][FRAGMENT_WAYS]; /* of a datagram's key; 0: free */
	struct fragment_wait wait[FRAGMENT_WAITING];
	/* Their first came: they are to go on, marked with what it says, oldest first. */
	struct rte_mbuf *ready[FRAGMENT_WAITING];
	struct fragment_datagram datagram[FRAGMENT_SETS * FRAGMENT_WAYS];
};

/* The slot's table becomes w->fragments. `empty`: it is new, or its writer died. */
void fragment_table_attach(struct worker *w, bool empty);

/*
 * A fragment of a datagram came. FRAGMENT_TAKEN: *d is its datagram, which may be one that waits or
 * is known; the packet has its place in it. Or why it is dropped. `more`: it is not the last.
 */
enum sl_drop_reason fragment_table_take(struct worker *w, const struct fragment_key *key,
					struct fragment_range range, bool more,
					struct fragment_datagram **d);

/* Its first fragment says so: what waited is ready. */
void fragment_table_know(struct worker *w, struct fragment_datagram *d,
			 const struct fragment_flow *flow);

/* A packet of it, which has been taken, waits for the first. */
void fragment_table_wait(struct worker *w, struct fragment_datagram *d, struct rte_mbuf *m);

/* Forget it if all of it was there. */
void fragment_table_done(struct worker *w, struct fragment_datagram *d);

/* Packets that are ready, at most n. Returns how many. */
unsigned int fragment_table_ready(struct worker *w, struct rte_mbuf **m, unsigned int n);

/* Once a tick: those whose time is over go. */
void fragment_table_expire(struct worker *w);

/* The worker ends for good. */
void fragment_table_drop_waiting(struct worker *w);

#endif
