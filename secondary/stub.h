/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections that moved. A checkpoint that another number of workers takes up is dealt out anew
 * (primary/deal.c): a connection goes to the worker that now owns its client. The backend's
 * packets go to a local port, whose bits may name another worker now. That one gets a *stub*: an
 * entry of which only key[OUT] is in the index, and which holds the port, so that no new connection
 * gets it. What finds the stub is passed on to the owner of the client.
 *
 * A packet may so cross twice: from where it arrived to the stub, from there to the connection.
 * Never a third time: there is no stub at the owner of the client, and what misses there after a
 * redirect is dropped (redirect_loop), as is said of any other.
 *
 * The stub's state is SL_CONN_NONE, its timeout the longest of all, renewed by each packet. It does
 * not see its connection end: the port rests until then. A connection whose backend says nothing
 * for longer than any timeout, while its client does, loses its port to others.
 *
 * Writer: the worker, as of any entry. If it dies the stub is found again by the rebuild.
 */
#ifndef STUB_H
#define STUB_H

struct burst;
struct sl_conn;
struct sl_conn6;
struct worker;

/* A packet of the burst found a stub: its verdict is where it goes. */
void stub_pass_on(struct worker *w, struct burst *b, unsigned int at, struct sl_conn *e);
void stub_pass_on6(struct worker *w, struct burst *b, unsigned int at, struct sl_conn6 *e);

#endif
