/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of the control daemon, taken between two bursts. */
#ifndef COMMAND_H
#define COMMAND_H

struct worker;

/* Use the snapshot that is current. */
void command_switch_snapshot(struct worker *w);

void command_drain(struct worker *w);

#endif
