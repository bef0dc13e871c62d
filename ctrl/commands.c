/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/commands.h"

#include <stdlib.h>
#include <time.h>

#include <sluice/shm.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

struct commands {
	struct sl_root *root;
	uint64_t id; /* the last */
	LIST_HEAD(, commands_waiter) waiters;
};

/* A predecessor killed inside a ring operation: what it had not finished did not happen. */
static void repair_rings(struct sl_worker_slot *slot)
{
	slot->command->prod.head = slot->command->prod.tail;
	slot->answer->cons.head = slot->answer->cons.tail;
}

struct commands *commands_new(struct sl_root *root)
{
	struct commands *c = calloc(1, sizeof(*c));
	struct timespec now;

	if (!c)
		return NULL;
	c->root = root;
	/* Ids that no predecessor has used: it sent fewer than 65536 a millisecond. */
	clock_gettime(CLOCK_REALTIME, &now);
	c->id = ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) << 16;
	LIST_INIT(&c->waiters);
	for (unsigned int w = 0; w < root->n_workers; w++)
		repair_rings(root->worker[w]);
	return c;
}

void commands_free(struct commands *c)
{
	free(c);
}

void commands_wait(struct commands *c, struct commands_waiter *waiter)
{
	waiter->id = ++c->id;
	LIST_INSERT_HEAD(&c->waiters, waiter, link);
}

void commands_forget(struct commands_waiter *waiter)
{
	LIST_REMOVE(waiter, link);
}

bool commands_send(struct commands *c, unsigned int worker, struct sl_command command)
{
	return !rte_ring_sp_enqueue_elem(c->root->worker[worker]->command, &command,
					 sizeof(command));
}

static void hand_out(struct commands *c, unsigned int worker, const struct sl_answer *answer)
{
	struct commands_waiter *waiter;

	LIST_FOREACH (waiter, &c->waiters, link) {
		if (waiter->id == answer->id) {
			waiter->answered(waiter->arg, worker, answer);
			return;
		}
	}
}

void commands_collect(struct commands *c)
{
	struct sl_answer answer;

	for (unsigned int w = 0; w < c->root->n_workers; w++)
		for (unsigned int i = 0; i < SL_COMMAND_RING; i++) {
			if (rte_ring_sc_dequeue_elem(c->root->worker[w]->answer, &answer,
						     sizeof(answer)))
				break;
			hand_out(c, w, &answer);
		}
}
