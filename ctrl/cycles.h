/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What schedulers pick from (enum sl_sched_table), each in use once: pools for which it comes out
 * the same have the same one, because its picks are positions within the pool. Cycles and lists
 * follow from the weights alone, whatever the backends are; tables of consistent
 * hashing from the backends' addresses and ports, too.
 */
#ifndef CTRL_CYCLES_H
#define CTRL_CYCLES_H

#include <stdint.h>
#include <sys/queue.h>

#include <sluice/snapshot.h>

struct cycle {
	LIST_ENTRY(cycle) link;
	uint64_t hash;
	uint32_t users;
	uint32_t length; /* picks */
	uint32_t *pick;
	/* The compiler's: the last snapshot that it was placed in, and its first pick there. */
	uint64_t placed;
	uint32_t first;
	/* What it follows from. */
	uint32_t kind; /* enum sl_scheduler */
	uint32_t key_len;
	uint8_t key[];
};

struct cycles;

struct cycles *cycles_new(void);

/* With all that is in it. */
void cycles_free(struct cycles *cycles);

struct cycle_recipe {
	enum sl_scheduler scheduler;
	uint32_t size; /* of mh's table; 0: its default */
	uint32_t n;
	const struct sl_backend *backend;
};

/*
 * Made if there is none, to be put back. NULL with errno: ENOMEM; E2BIG when a cycle would have
 * over CYCLE_MAX picks, *length (ctrl/cycle.h).
 */
struct cycle *cycles_get(struct cycles *cycles, const struct cycle_recipe *recipe,
			 uint64_t *length);

/* NULL is no cycle. */
void cycles_put(struct cycle *cycle);

#endif
