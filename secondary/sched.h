/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Schedulers: which backend a new connection goes to. One file a scheduler (sched_*.c),
 * its ops the last paragraph; the table is in schedule.c.
 */
#ifndef SCHED_H
#define SCHED_H

#include <sluice/snapshot.h>

struct worker;

struct sched_ops {
	/* A position in the virtual server's backends, or SCHED_NO_BACKEND. */
	uint32_t (*pick)(struct worker *w, const struct sl_virtual_server *vs);
};

#define SCHED_NO_BACKEND UINT32_MAX

extern const struct sched_ops sched_cycle; /* rr and wrr */

#endif
