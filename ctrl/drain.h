/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drained workers as shared memory says (secondary/drain.h): asked for by ctrl in sl_root.drained,
 * taken note of by the worker in its slot.
 */
#ifndef CTRL_DRAIN_H
#define CTRL_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/shm.h>

enum drain_state {
	DRAIN_NONE, /* it opens connections */
	DRAIN_DRAINING,
	DRAIN_DRAINED, /* it has none left */
};

static const char *const drain_state_names[] __attribute__((unused)) = {"", "draining", "drained"};

/* Does the worker open connections or not, as asked for? */
static inline bool drain_agreed(const struct sl_root *root, uint32_t worker)
{
	return __atomic_load_n(&root->worker[worker]->worker.drained, __ATOMIC_ACQUIRE) ==
	       (root->drained >> worker & 1);
}

/* Connections of both families; what it only passes on are none of its own. */
static inline uint64_t drain_connections(const struct sl_worker_slot *slot)
{
	uint64_t open =
		(uint64_t)sl_conn_open_count(&slot->conns) + sl_conn_open_count(&slot->conns6);
	uint64_t stubs = __atomic_load_n(&slot->worker.stubs, __ATOMIC_RELAXED);

	return open > stubs ? open - stubs : 0; /* two words, read one after the other */
}

static inline enum drain_state drain_state_of(const struct sl_root *root, uint32_t worker)
{
	if (!(root->drained >> worker & 1))
		return DRAIN_NONE;
	return drain_agreed(root, worker) && !drain_connections(root->worker[worker])
		       ? DRAIN_DRAINED
		       : DRAIN_DRAINING;
}

#endif
