/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/command.h"

#include <errno.h>
#include <string.h>

#include <rte_ring_elem.h>

#include <sluice/msg.h>

#include "secondary/checkpoint.h"
#include "secondary/purge.h"
#include "secondary/ramp.h"
#include "secondary/worker.h"

/* The snapshot's; a stub stays as long as the connection may that it stands for. */
static void read_timeouts(const struct sl_snapshot *s, uint32_t *timeout)
{
	memcpy(timeout, s->timeout, sizeof(s->timeout));
	for (int i = 0; i < SL_CONN_STATE_MAX; i++)
		timeout[SL_CONN_NONE] = RTE_MAX(timeout[SL_CONN_NONE], timeout[i]);
}

static bool any_shorter(const uint32_t *timeout, const uint32_t *before)
{
	for (int i = 0; i < SL_CONN_STATE_MAX; i++)
		if (timeout[i] < before[i])
			return true;
	return false;
}

void command_switch_snapshot(struct worker *w)
{
	uint32_t timeout[SL_CONN_STATE_MAX];
	const struct sl_snapshot *next =
		sl_snapshot_use(&w->root->arena, &w->slot->worker.snapshot_in_use);

	if (next && (!w->snapshot || next->route_epoch != w->route_epoch)) {
		w->route_epoch = next->route_epoch;
		neigh_new_epoch(w);
	}
	if (next) {
		/* the former snapshot may be overwritten by now: compare with what was kept of it
		 */
		read_timeouts(next, timeout);
		if (any_shorter(timeout, w->timeout) || next->quiescent_servers.count ||
		    next->persistent_servers.count)
			conn_look_at_all(w);
		memcpy(w->timeout, timeout, sizeof(w->timeout));
		w->slot->worker.revision = next->revision;
		w->slot->worker.content = next->content;
	}
	w->snapshot = next;
	ramp_switch(w);
	if (next)
		checkpoint_read(w);
}

static void execute(struct worker *w, const struct sl_command *c)
{
	struct sl_answer a = {.id = c->id, .status = -EINVAL};

	if (c->type == SL_COMMAND_END_CONNECTIONS) { /* answered when it is done */
		purge_begin(w, c);
		return;
	}
	if (c->type == SL_COMMAND_SNAPSHOT) {
		command_switch_snapshot(w);
		a.value = w->slot->worker.snapshot_in_use;
		a.status = a.value == c->argument ? 0 : -ESTALE;
	}
	/* ctrl sends no more commands than answers fit: a full ring means it is not listening */
	rte_ring_sp_enqueue_elem(w->slot->answer, &a, sizeof(a));
}

void command_drain(struct worker *w)
{
	struct sl_command c;

	while (!rte_ring_sc_dequeue_elem(w->slot->command, &c, sizeof(c)))
		execute(w, &c);
}
