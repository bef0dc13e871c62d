/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments on their way through the stages; fragment_table.h tells which datagrams they belong to.
 *
 * Whose they are. Only the first fragment has ports, so that no other tells the connection's owner.
 * All fragments of a datagram go to one worker first, the hash of what they have in common
 * (sl_owner_fragment()). That one *follows* the datagram: it learns the flow from the first
 * fragment, and passes each on to the connection's owner with a *mark* in its buffer that says what
 * the flow is. A redirect ring keeps order, so that the first arrives there before the others. What
 * is marked is not followed again, and so a packet crosses at most three times: to who follows it,
 * to the owner or to a stub (stub.h), and from that to the owner.
 *
 * The first fragment then is a packet like others: it opens a connection, and the transport's
 * checksum in it is moved by the difference. The later ones wait in burst.later until the burst's
 * other packets are through (stage_later(), fragment_later.c), and have their addresses rewritten
 * alone. They open nothing, and nobody is told of an error in them (RFC 1122 section 3.2.2).
 */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include <stdbool.h>

struct burst;
struct fragment_flow;
struct rte_mbuf;
struct walk6;
struct worker;

/*
 * An IPv4 fragment, header checked. True: it is the first of its datagram, TCP or UDP, and goes on
 * with its key; else it has its verdict, waits, or is in `later`.
 */
bool fragment_input(struct worker *w, struct burst *b, unsigned int at);

/*
 * The same over IPv6; `walk` is at the fragment header. Of the first the transport may stand behind
 * more headers; of the others burst.l4 is where they go on.
 */
bool fragment6_input(struct worker *w, struct burst *b, unsigned int at, const struct walk6 *walk);

/* Say in the packet's buffer what flow it is of, for the worker that gets it. */
void fragment_mark(const struct worker *w, struct rte_mbuf *m, const struct fragment_flow *flow);

/* The same of a fragment in the burst, which has its key. */
void fragment_mark_again(const struct worker *w, const struct burst *b, unsigned int at);

#endif
