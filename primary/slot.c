/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/slot.h"

#include <string.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include "primary/boot_config.h"
#include "primary/poller.h"
#include "primary/spawn.h"

SL_LOG_TYPE(slot_log, "sluice.primary.supervisor");

void slot_init(struct slot *s, struct sl_worker_slot *shared, const struct boot_config *config,
	       int program)
{
	*s = (struct slot){.shared = shared,
			   .config = config,
			   .worker = SLOT_NOBODY,
			   .program = program,
			   .restart = RESTART_INIT};
}

unsigned int slot_id(const struct slot *s)
{
	return s->shared->id;
}

unsigned int slot_living(const struct slot *s)
{
	return !!s->process[0].pid + !!s->process[1].pid;
}

struct process *slot_other(struct slot *s)
{
	if (s->worker != SLOT_NOBODY)
		return &s->process[!s->worker];
	return s->process[0].pid ? &s->process[0] : &s->process[1];
}

int slot_start(struct slot *s, int program)
{
	unsigned int id = slot_id(s), k = s->process[0].pid ? 1 : 0;
	uint64_t now = poller_now();
	pid_t pid = spawn_worker(s->config, program, id, SL_LCORE_WORKER(id, k));

	if (pid < 0) {
		sl_log(slot_log, ERR, "worker %u: cannot start: %s", id, strerror(-pid));
		backoff_no_start(&s->backoff, now);
		return pid;
	}
	backoff_started(&s->backoff);
	process_begin(&s->process[k], k, pid, now);
	s->shared->supervisor.starts++;
	sl_log(slot_log, INFO, "worker %u: process %d started on CPU %u", id, pid, s->shared->cpu);
	return (int)k;
}

static enum sl_worker_state state_of(struct slot *s)
{
	if (!slot_living(s))
		return SL_WORKER_DOWN;
	if (s->stopping)
		return SL_WORKER_STOPPING;
	if (s->worker == SLOT_NOBODY)
		return SL_WORKER_STARTING;
	return s->process[s->worker].stage == PROCESS_ACTIVE ? SL_WORKER_RUNNING
							     : SL_WORKER_STOPPING;
}

void slot_show(struct slot *s)
{
	const struct process *w = s->worker == SLOT_NOBODY ? slot_other(s) : &s->process[s->worker];
	const struct process *standby = w == &s->process[0] ? &s->process[1] : &s->process[0];

	s->shared->supervisor.pid = w->pid;
	s->shared->supervisor.started_ns = w->started * UINT64_C(1000000);
	s->shared->supervisor.standby_pid = standby->stage == PROCESS_WAITING ? standby->pid : 0;
	__atomic_store_n(&s->shared->supervisor.state, state_of(s), __ATOMIC_RELEASE);
}
