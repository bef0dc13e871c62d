/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PASS_ON_H
#define PASS_ON_H

struct burst;
struct worker;

/* Packet `at` goes to another worker, whosever buffer it is in: its verdict is that, or a drop. */
void pass_on(struct worker *w, struct burst *b, unsigned int at, unsigned int to);

/* The same to its owner, who passed it on: this worker opens nothing for it (drain.h). */
void pass_back(struct worker *w, struct burst *b, unsigned int at, unsigned int owner);

/* Packet `at` has no connection here and is worker `owner`'s; pass_on(), but never in a circle. */
void pass_to_owner(struct worker *w, struct burst *b, unsigned int at, unsigned int owner);

#endif
