/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef REPAIR_H
#define REPAIR_H

struct worker;

/* Memory for what follows. 0 or -errno. */
int repair_prepare(const struct worker *w);

/* Make a slot whole whose holder died. The lease is held, no packet was touched yet. */
void repair_slot(struct worker *w);

/* From now on the ports pass on what their queues hold: quarantined buffers may be among it. */
void repair_watch_ports(struct worker *w);

/* When all of that has passed, take back what did not show up. */
void repair_settle(struct worker *w);

#endif
