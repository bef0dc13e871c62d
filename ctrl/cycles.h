/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cycles in use, each once: pools whose backends have equal shares have the same one,
 * whatever the backends are, because its picks are positions within the pool.
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
	uint32_t n;      /* backends */
	uint32_t length; /* picks */
	uint32_t *pick;
	/* The compiler's: the last snapshot that it was placed in, and its first pick there. */
	uint64_t placed;
	uint32_t first;
	uint16_t share[];
};

struct cycles;

struct cycles *cycles_new(void);

/* With all that is in it. */
void cycles_free(struct cycles *cycles);

/*
 * The cycle of these shares (ctrl/cycle.h), made if there is none; to be put back. NULL: out of
 * memory. The length is at most CYCLE_MAX.
 */
struct cycle *cycles_get(struct cycles *cycles, const uint16_t *share, uint32_t n);

/* NULL is no cycle. */
void cycles_put(struct cycle *cycle);

#endif
