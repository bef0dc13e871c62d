/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/restart.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include "primary/slot.h"
#include "primary/spawn.h"

SL_LOG_TYPE(restart_log, "sluice.primary.supervisor");

static void end(struct slot *s, int status, const char *text)
{
	struct restart was = s->restart;

	if (was.program >= 0)
		close(was.program);
	s->restart = RESTART_INIT;
	if (was.done)
		was.done(was.arg, status, text);
}

/* The former standby leaves, a fresh one is started. */
static void clear(struct slot *s, uint64_t now)
{
	struct restart *r = &s->restart;

	if (s->worker == SLOT_NOBODY) { /* whoever comes next is new */
		r->stage = RESTART_SWAP;
		return;
	}
	if (slot_living(s) == 2) {
		if (slot_other(s)->stage != PROCESS_LEAVING)
			process_ask(slot_other(s), SIGTERM, now);
		return;
	}
	r->program = spawn_installed_program();
	if (r->program < 0)
		sl_log(restart_log, WARNING,
		       "worker %u: the program is not where it was (%s): the same one again",
		       slot_id(s), strerror(-r->program));
	r->fresh = slot_start(s, r->program < 0 ? s->program : r->program);
	if (r->fresh < 0)
		end(s, r->fresh, "no new process could be started");
	else
		r->stage = RESTART_FRESH;
}

static void adopt_program(struct slot *s)
{
	if (s->restart.program < 0)
		return;
	close(s->program);
	s->program = s->restart.program;
	s->restart.program = -1;
}

static void fresh(struct slot *s, uint64_t now)
{
	if (s->process[s->restart.fresh].stage == PROCESS_STARTING)
		return;
	adopt_program(s);
	if (s->worker != SLOT_NOBODY && s->worker != s->restart.fresh)
		process_ask(&s->process[s->worker], SIGUSR1, now);
	s->restart.stage = RESTART_SWAP;
}

static void swap(struct slot *s)
{
	const struct restart *r = &s->restart;

	if (s->worker == SLOT_NOBODY || (r->fresh >= 0 && s->worker != r->fresh))
		return;
	if (s->process[s->worker].stage != PROCESS_ACTIVE)
		return;
	slot_show(s); /* whoever waits for the answer looks at it */
	end(s, 0, "");
}

void restart_advance(struct slot *s, uint64_t now)
{
	switch (s->restart.stage) {
	case RESTART_CLEAR: clear(s, now); break;
	case RESTART_FRESH: fresh(s, now); break;
	case RESTART_SWAP: swap(s); break;
	default: break;
	}
}

void restart_ended(struct slot *s, int k)
{
	if (s->restart.fresh != k)
		return;
	if (s->restart.stage == RESTART_FRESH)
		end(s, -EIO, s->shared->supervisor.last_end);
	else
		s->restart.fresh = -1;
}

int restart_begin(struct slot *s, restart_done_fn done, void *arg)
{
	if (s->restart.stage != RESTART_NONE || s->stopping)
		return -EBUSY;
	s->restart.done = done;
	s->restart.arg = arg;
	s->restart.stage = RESTART_CLEAR;
	s->backoff.due = 0;
	return 0;
}

void restart_cancel(struct slot *s, const char *why)
{
	end(s, -ESHUTDOWN, why);
}
