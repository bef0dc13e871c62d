/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst on its way through the stages: arrays, one place a packet. A stage reads and
 * writes its columns and leaves a verdict per packet; settle.c carries verdicts out.
 */
#ifndef BURST_H
#define BURST_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include <sluice/drop.h>
#include <sluice/limits.h>

#include "secondary/frame.h"

struct sl_conn;
struct sl_conn6;
struct worker;

enum verdict {
	VERDICT_NONE,     /* still on its way, or it left by a connection and is of `sent` */
	VERDICT_DROP,     /* argument: enum sl_drop_reason */
	VERDICT_SEND,     /* argument: port id; the frame is complete */
	VERDICT_REDIRECT, /* argument: worker id */
	VERDICT_REFUSE,  /* likewise; it passed the packet on to us, and we open nothing: drain.h */
	VERDICT_CONSUME, /* it has done its work: free it */
	VERDICT_HELD,    /* somebody else has it now (a neighbour's queue) */
};

/* Positions of packets in a burst, in order. */
struct list {
	uint16_t n;
	uint8_t at[SL_BURST];
};

struct burst {
	uint16_t n;
	uint16_t sent;   /* packets that left by a connection: settle has nothing to do with them */
	bool redirected; /* from another worker's redirect ring */
	uint8_t from;    /* whose it was, then */
	struct rte_mbuf *pkt[SL_BURST];
	uint8_t verdict[SL_BURST];
	uint8_t argument[SL_BURST];

	struct list flow;          /* TCP and UDP, headers checked */
	struct list hit;           /* of these, found in the table */
	struct list miss;          /* not found (conn is NULL), or ended and to be opened anew */
	bool again;                /* the round over `miss` is not the first */
	uint64_t key[SL_BURST][2]; /* bytes 22-37 of the frame, masked: see conn.h */
	uint64_t hash[SL_BURST];
	union {
		struct sl_conn *conn[SL_BURST];
		struct sl_conn6 *conn6[SL_BURST];
	};
	uint8_t dir[SL_BURST]; /* enum sl_conn_dir */

	/* The same for packets over IPv6, and for those over IPv4 that lookup64.c adds to them. */
	struct list flow6, hit6, miss6;
	uint64_t key6[SL_BURST][5]; /* see conn6.h */
	uint8_t l4[SL_BURST];       /* where TCP or UDP begins: bytes from the frame's start */

	/* Of fragments (fragment.h): bits by position, and those whose flow was found, but the
	 * first. */
	uint32_t fragments; /* of a datagram in more than one */
	uint32_t followed;  /* of these, whose datagram this worker follows */
	struct list later;
};

static_assert(SL_BURST <= 32, "a bit for each packet");

static inline void list_add(struct list *l, unsigned int at)
{
	l->at[l->n++] = (uint8_t)at;
}

static inline void burst_verdict(struct burst *b, unsigned int at, enum verdict v,
				 unsigned int argument)
{
	b->verdict[at] = (uint8_t)v;
	b->argument[at] = (uint8_t)argument;
}

static inline void burst_drop(struct burst *b, unsigned int at, enum sl_drop_reason why)
{
	burst_verdict(b, at, VERDICT_DROP, why);
}

/*
 * Its owner passed it on: it is treated as this worker's own. Not a fragment that came here, from
 * whomever, because this worker follows its datagram.
 */
static inline bool burst_given(const struct burst *b, unsigned int at, unsigned int owner)
{
	return b->redirected && b->from == owner && !(b->followed >> at & 1);
}

/* Of `flow6`: the frame is one of IPv4, with the transport where that has it. */
static inline bool burst_over_ipv4(const struct burst *b, unsigned int at)
{
	return b->l4[at] == FRAME_L4;
}

/* The stages, in the order in which pipeline_run() (loop.c) calls them. */
void stage_parse(struct worker *w, struct burst *b);
void stage_parse6(struct worker *w, struct burst *b); /* what is in `flow6`: frames of IPv6 */
void stage_lookup(struct worker *w, struct burst *b);
void stage_forward(struct worker *w, struct burst *b);  /* what is in `hit` */
void stage_schedule(struct worker *w, struct burst *b); /* `miss`: opened ones are then in `hit` */
void stage_lookup64(struct worker *w, struct burst *b); /* of `miss`: to `flow6` */
void stage_lookup6(struct worker *w, struct burst *b);
void stage_forward6(struct worker *w, struct burst *b);  /* what is in `hit6` */
void stage_schedule6(struct worker *w, struct burst *b); /* `miss6`, likewise */
void stage_later(struct worker *w, struct burst *b);     /* what is in `later` */
void stage_settle(struct worker *w, struct burst *b);

#endif
