/* SPDX-License-Identifier: BSD-3-Clause */
/* The way out of connections whose packets leave as they came (SL_CONN_F_DIRECT). */
#ifndef DIRECT_H
#define DIRECT_H

#include <stdbool.h>

struct burst;
struct worker;

/*
 * Packet `at`, whose TTL is over 1, goes to its connection's backend. True: it left. False: it has
 * its verdict, or is in `miss` or `miss6` because it begins a new connection.
 */
bool forward_direct(struct worker *w, struct burst *b, unsigned int at);
bool forward6_direct(struct worker *w, struct burst *b, unsigned int at);

/* A fragment but the first, likewise; it gets its verdict. */
void forward_direct_later(struct worker *w, struct burst *b, unsigned int at);
void forward6_direct_later(struct worker *w, struct burst *b, unsigned int at);

#endif
