/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Schedulers: which backend a new connection goes to. One file a scheduler (sched_*.c),
 * its ops the last paragraph; the table is in choose.c.
 */
#ifndef SCHED_H
#define SCHED_H

#include <stdbool.h>

#include <sluice/snapshot.h>

struct worker;

struct sched_ops {
	/*
	 * A position in the virtual server's backends, of one that takes connections, or
	 * SCHED_NO_BACKEND. `hash`: of the packet, by the server's hash_key; 0 without one.
	 */
	uint32_t (*pick)(struct worker *w, const struct sl_virtual_server *vs, uint64_t hash);
	/*
	 * The backend's claim is taken: does the pick stand, seeing what others claimed meanwhile?
	 * If not, the claim is given back and pick() asked again, a few times. NULL: it does.
	 */
	bool (*stands)(struct worker *w, const struct sl_virtual_server *vs, uint32_t pick);
};

#define SCHED_NO_BACKEND UINT32_MAX

/*
 * Places of a table that one pick looks at, when the backends there take no connections. More
 * would let a server whose backends are all full take the worker's time.
 */
#define SCHED_LOOKS 64

extern const struct sched_ops sched_cycle; /* rr and wrr */
extern const struct sched_ops sched_hash;  /* mh, conhash and sh */
extern const struct sched_ops sched_list;  /* fo */
extern const struct sched_ops sched_lc;
extern const struct sched_ops sched_wlc;

#endif
