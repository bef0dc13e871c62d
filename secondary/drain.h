/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Draining. A drained worker goes on with the connections that it has and opens none, so that it
 * comes to have none. Which workers are drained is a word of ctrl's (sl_root.drained); each looks
 * at it every few milliseconds, and says in its slot what it goes by.
 *
 * Who owns a flow does not change (<sluice/owner.h>), and the owner alone decides. A packet of its
 * own that would open a connection it passes on to a worker that is not drained, and keeps a *flow
 * stub* (stub.h) under the packet's tuple, so that the packets that follow go to the same worker,
 * whoever is drained by then. The other one has nothing to know: what comes from its owner is
 * treated as its own. It opens the connection with local ports of its own, which name it, so
 * replies to these come to it as ever; so the stub costs only what clients send a crossing.
 *
 *   client's packet --> owner, drained --(stub)--> worker k, which has the connection
 *   backend's reply ------------------------------> worker k             FullNAT, FullNAT64, SNAT
 *   backend's reply --> owner, drained --(stub)--> worker k              NAT
 *
 * Of NAT the reply's tuple is not known when the first packet is passed on. The owner looks for the
 * first reply in the other workers' tables, and keeps a stub for it, too.
 *
 * The worker that was chosen may itself be drained later. Then packets of the connections that it
 * has are its own; what would open one it sends back to the owner, marked as refused
 * (VERDICT_REFUSE), who gives up the stub and chooses again, or opens it. A packet that is on its
 * way by a stub, and not refused, never makes the owner choose again: what is behind it in the ring
 * finds what it opened.
 *
 * A stub does not see its connection end. The sweep looks in the other worker's table every
 * CONN_STUB_LOOK ticks, and ends the stub when there is none. That is a look into memory that
 * another process writes: it says "there is one", "there is none" or "it can't be said now", and
 * nothing but stubs follows from it.
 *
 * If a worker dies: its stubs are entries like others. The owner dead between stub and redirect:
 * the packet is lost, the next one is passed on. The other one dead: its table can't be read
 * while it is repaired (conn_intent), and stubs stay meanwhile.
 */
#ifndef DRAIN_H
#define DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/drop.h>

struct burst;
struct conn_table;
struct sl_tuple;
struct sl_tuple6;
struct worker;

/* Go by what root->drained says now. */
void drain_look(struct worker *w);

/*
 * A packet, the flow's owner's or passed on by it, would open a connection, and this worker is
 * drained. Its verdict is where it goes: SL_DROP_MAX; or else a reason to drop it.
 */
enum sl_drop_reason drain_pass_on(struct worker *w, struct burst *b, unsigned int at);
enum sl_drop_reason drain_pass_on6(struct worker *w, struct burst *b, unsigned int at);

/*
 * A packet to an address that is not ours has no connection here. True: another worker has it, and
 * its verdict is to go there.
 */
bool drain_elsewhere(struct worker *w, struct burst *b, unsigned int at);
bool drain_elsewhere6(struct worker *w, struct burst *b, unsigned int at);

/* The worker that has a connection with this tuple, of which this one is the owner; itself: none.
 */
unsigned int drain_who_has(const struct worker *w, const struct sl_tuple *k);
unsigned int drain_who_has6(const struct worker *w, const struct sl_tuple6 *k);

/* Entry `at` is a flow stub: may its connection be there yet? */
bool drain_stub_stays(const struct worker *w, const struct conn_table *t, uint32_t at);

#endif
