/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef REPAIR_H
#define REPAIR_H

struct worker;

/* Make a slot whole whose holder died. The lease is held, no packet was touched yet. 0 or -errno.
 */
int repair_slot(struct worker *w);

#endif
