/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PARSE6_H
#define PARSE6_H

#include <stdbool.h>

struct burst;
struct worker;

/* A frame whose ethertype is IPv6. True: TCP or UDP, go on with its key; else it has its verdict.
 */
bool parse6(struct worker *w, struct burst *b, unsigned int at);

#endif
