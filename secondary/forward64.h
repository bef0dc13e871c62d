/* SPDX-License-Identifier: BSD-3-Clause */
/* The way out of FullNAT64's packets. */
#ifndef FORWARD64_H
#define FORWARD64_H

#include <stdbool.h>

struct burst;
struct worker;

/*
 * Packet `at`, of either family, leaves over the other. True: it left. False: it has its verdict,
 * or is in `miss6` because it begins a new connection.
 */
bool forward64(struct worker *w, struct burst *b, unsigned int at);

#endif
