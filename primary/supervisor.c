/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include "primary/boot_config.h"
#include "primary/poller.h"
#include "primary/process.h"
#include "primary/slot.h"
#include "primary/spawn.h"

SL_LOG_TYPE(supervisor_log, "sluice.primary.supervisor");

static const struct boot_config *config;
static struct slot slots[SL_MAX_WORKERS];
static unsigned int n_slots;
static bool stopping;
static bool was_ready;

static void say_ready(void)
{
	for (unsigned int i = 0; i < n_slots; i++)
		if (slots[i].worker == SLOT_NOBODY)
			return;
	if (!was_ready)
		sl_log(supervisor_log, INFO, "primary ready: %u workers, %u ports", n_slots,
		       config->n_ports);
	was_ready = true;
}

/* ---- following ---------------------------------------------------------------------- */

/* A worker first, then its standby. */
static bool one_is_missing(const struct slot *s)
{
	unsigned int n = slot_living(s);

	if (stopping || s->restart.stage == RESTART_CLEAR)
		return false;
	return n == 0 || (n == 1 && config->standby && s->worker != SLOT_NOBODY &&
			  s->process[s->worker].stage == PROCESS_ACTIVE);
}

/* A worker that was ended wrote what it had, but another one goes on with it. */
static void forget_checkpoint(const struct slot *s)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/checkpoint/worker-%u", config->runtime_dir, slot_id(s));
	unlink(path);
}

/* The lease went to another process. */
static void became_worker(struct slot *s, unsigned int k)
{
	if (s->shared->worker.incarnation > 1 && !stopping)
		forget_checkpoint(s);
	s->shared->supervisor.takeovers += s->process[k].stood_by;
	s->worker = (int)k;
	say_ready();
}

static void tick(struct slot *s, uint64_t now)
{
	for (unsigned int k = 0; k < 2; k++)
		if (process_look(&s->process[k], s->shared, config->watchdog, now) &&
		    s->process[k].stage == PROCESS_ACTIVE)
			became_worker(s, k);
	restart_advance(s, now);
	if (one_is_missing(s) && now >= s->backoff.due)
		slot_start(s, s->program);
	slot_show(s);
}

static void account_end(struct slot *s, const struct process *p, int status)
{
	char text[SL_NAME_LEN];

	spawn_end_text(status, text, sizeof(text));
	if (p->why[0])
		snprintf(text, sizeof(text), "%s", p->why);
	if (p->asked) {
		sl_log(supervisor_log, INFO, "worker %u: process %d ended: %s", slot_id(s), p->pid,
		       text);
	} else {
		s->shared->supervisor.deaths++;
		sl_log(supervisor_log, ERR, "worker %u: process %d ended unasked: %s", slot_id(s),
		       p->pid, text);
	}
	snprintf(s->shared->supervisor.last_end, SL_NAME_LEN, "%s", text);
}

static void ended(struct slot *s, int k, int status)
{
	uint64_t now = poller_now();
	struct process *p = &s->process[k];

	account_end(s, p, status);
	backoff_ended(&s->backoff, p->asked, process_was_ready(p, s->shared), now - p->since, now);
	*p = (struct process){0};
	if (s->worker == k) {
		s->worker = SLOT_NOBODY;
		process_expect_takeover(&s->process[!k], now);
	}
	restart_ended(s, k);
	slot_show(s);
}

void supervisor_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned int i = 0; i < 2 * n_slots; i++)
			if (slots[i / 2].process[i % 2].pid == pid)
				ended(&slots[i / 2], (int)(i % 2), status);
}

int supervisor_start(const struct boot_config *boot, struct sl_root *root)
{
	int rc = spawn_init();

	config = boot;
	for (unsigned int i = 0; i < root->n_workers && !rc; i++) {
		int program = spawn_running_program();

		if (program < 0)
			return program;
		slot_init(&slots[i], root->worker[i], boot, program);
		n_slots = i + 1;
	}
	return rc;
}

/* ---- restart on request ------------------------------------------------------------- */

int supervisor_restart(unsigned int id, restart_done_fn done, void *arg)
{
	return id < n_slots ? restart_begin(&slots[id], done, arg) : -EINVAL;
}

void supervisor_restart_all(void)
{
	for (unsigned int i = 0; i < n_slots; i++)
		slots[i].restart_wanted = true;
}

/* Of those who want a restart, the next one when nobody has one. */
static void restart_next(void)
{
	for (unsigned int i = 0; i < n_slots; i++)
		if (slots[i].restart.stage != RESTART_NONE)
			return;
	for (unsigned int i = 0; i < n_slots; i++) {
		if (!slots[i].restart_wanted)
			continue;
		slots[i].restart_wanted = false;
		restart_begin(&slots[i], NULL, NULL);
		return;
	}
}

void supervisor_forget(void *arg)
{
	for (unsigned int i = 0; i < n_slots; i++)
		if (slots[i].restart.arg == arg)
			slots[i].restart.done = NULL;
}

/* ---- the clock ---------------------------------------------------------------------- */

void supervisor_tick(void)
{
	uint64_t now = poller_now();

	for (unsigned int i = 0; i < n_slots; i++)
		tick(&slots[i], now);
	restart_next();
}

int supervisor_timeout(void)
{
	uint64_t now = poller_now(), next = PROCESS_NEVER;

	for (unsigned int i = 0; i < n_slots; i++) {
		const struct slot *s = &slots[i];

		for (unsigned int k = 0; k < 2; k++)
			if (s->process[k].pid)
				next = RTE_MIN(next, process_next_look(&s->process[k],
								       config->watchdog, now));
		if (one_is_missing(s))
			next = RTE_MIN(next, s->backoff.due);
	}
	if (next == PROCESS_NEVER)
		return -1;
	return next <= now ? 0 : (int)(next - now);
}

/* ---- the end ------------------------------------------------------------------------ */

void supervisor_stop(void)
{
	uint64_t now = poller_now();

	stopping = true;
	for (unsigned int i = 0; i < n_slots; i++) {
		struct slot *s = &slots[i];

		s->stopping = true;
		restart_cancel(s, "the primary stops");
		s->restart_wanted = false;
		for (unsigned int k = 0; k < 2; k++)
			process_ask(&s->process[k], SIGTERM, now);
		slot_show(s);
	}
}

bool supervisor_stopped(void)
{
	for (unsigned int i = 0; i < n_slots; i++)
		if (slot_living(&slots[i]))
			return false;
	return stopping;
}
