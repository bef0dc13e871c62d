/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include "primary/boot_config.h"
#include "primary/poller.h"
#include "primary/process.h"
#include "primary/spawn.h"

SL_LOG_TYPE(supervisor_log, "sluice.primary.supervisor");

/* Milliseconds. */
#define LIFE_GOOD   1000
#define BACKOFF_MIN 100u
#define BACKOFF_MAX 10000u
#define NEVER       PROCESS_NEVER

#define NOBODY      (-1)

enum restart {
	RESTART_NONE,
	RESTART_CLEAR, /* until the former standby has left */
	RESTART_FRESH, /* until the fresh one waits for the lease */
	RESTART_SWAP,  /* until it works */
};

struct slot {
	struct sl_worker_slot *shared;
	struct process process[2]; /* by lcore id */
	int worker;                /* which of these works; NOBODY */
	int program;               /* file of the program that the slot runs */
	unsigned int backoff;      /* before the next start */
	uint64_t start_due;        /* when it is over */
	enum restart restart;      /* how far a restart on request is */
	int fresh;                 /* the process that it started; NOBODY */
	int fresh_program;         /* and the file it was started from; -1 */
	bool restart_wanted;       /* its turn in a restart of all will come */
	supervisor_done_fn done;   /* whoever waits for the restart */
	void *done_arg;
};

static const struct boot_config *config;
static struct slot slots[SL_MAX_WORKERS];
static unsigned int n_slots;
static bool stopping;
static bool was_ready;

static unsigned int id_of(const struct slot *s)
{
	return s->shared->id;
}

static unsigned int living(const struct slot *s)
{
	return !!s->process[0].pid + !!s->process[1].pid;
}

/* The one beside the worker, or beside nobody. */
static struct process *other(struct slot *s)
{
	if (s->worker != NOBODY)
		return &s->process[!s->worker];
	return s->process[0].pid ? &s->process[0] : &s->process[1];
}

/* ---- what others see ------------------------------------------------------------- */

static enum sl_worker_state state_of(struct slot *s)
{
	if (!living(s))
		return SL_WORKER_DOWN;
	if (stopping)
		return SL_WORKER_STOPPING;
	if (s->worker == NOBODY)
		return SL_WORKER_STARTING;
	return s->process[s->worker].stage == PROCESS_ACTIVE ? SL_WORKER_RUNNING
							     : SL_WORKER_STOPPING;
}

static void show(struct slot *s)
{
	const struct process *w = s->worker == NOBODY ? other(s) : &s->process[s->worker];
	const struct process *standby = w == &s->process[0] ? &s->process[1] : &s->process[0];

	s->shared->supervisor.pid = w->pid;
	s->shared->supervisor.started_ns = w->started * UINT64_C(1000000);
	s->shared->supervisor.standby_pid = standby->stage == PROCESS_WAITING ? standby->pid : 0;
	__atomic_store_n(&s->shared->supervisor.state, state_of(s), __ATOMIC_RELEASE);
}

static void say_ready(void)
{
	for (unsigned int i = 0; i < n_slots; i++)
		if (slots[i].worker == NOBODY)
			return;
	if (!was_ready)
		sl_log(supervisor_log, INFO, "primary ready: %u workers, %u ports", n_slots,
		       config->n_ports);
	was_ready = true;
}

/* ---- starting --------------------------------------------------------------------- */

static unsigned int longer(unsigned int backoff)
{
	return backoff ? RTE_MIN(2 * backoff, BACKOFF_MAX) : BACKOFF_MIN;
}

/* Under the lcore id that is free. Which one, or -errno. */
static int start(struct slot *s, int program)
{
	unsigned int id = id_of(s), k = s->process[0].pid ? 1 : 0;
	uint64_t now = poller_now();
	pid_t pid = spawn_worker(config, program, id, SL_LCORE_WORKER(id, k));

	if (pid < 0) {
		sl_log(supervisor_log, ERR, "worker %u: cannot start: %s", id, strerror(-pid));
		s->backoff = longer(s->backoff);
		s->start_due = now + s->backoff;
		return pid;
	}
	process_begin(&s->process[k], k, pid, now);
	s->shared->supervisor.starts++;
	sl_log(supervisor_log, INFO, "worker %u: process %d started on CPU %u", id, pid,
	       s->shared->cpu);
	return (int)k;
}

/* A worker first, then its standby. */
static bool one_is_missing(const struct slot *s)
{
	unsigned int n = living(s);

	if (stopping || s->restart == RESTART_CLEAR)
		return false;
	return n == 0 || (n == 1 && config->standby && s->worker != NOBODY &&
			  s->process[s->worker].stage == PROCESS_ACTIVE);
}

/* ---- restart on request ------------------------------------------------------------- */

static void restart_end(struct slot *s, int status, const char *text)
{
	supervisor_done_fn done = s->done;

	if (s->fresh_program >= 0)
		close(s->fresh_program);
	s->fresh_program = -1;
	s->fresh = NOBODY;
	s->restart = RESTART_NONE;
	s->done = NULL;
	if (done)
		done(s->done_arg, status, text);
}

/* The former standby leaves, a fresh one starts from the program as it is installed now. */
static void restart_clear(struct slot *s, uint64_t now)
{
	if (s->worker == NOBODY) { /* whoever comes next is new */
		s->restart = RESTART_SWAP;
		return;
	}
	if (living(s) == 2) {
		if (other(s)->stage != PROCESS_LEAVING)
			process_ask(other(s), SIGTERM, now);
		return;
	}
	s->fresh_program = spawn_installed_program();
	if (s->fresh_program < 0)
		sl_log(supervisor_log, WARNING,
		       "worker %u: the program is not where it was (%s): the same one again",
		       id_of(s), strerror(-s->fresh_program));
	s->fresh = start(s, s->fresh_program < 0 ? s->program : s->fresh_program);
	if (s->fresh < 0)
		restart_end(s, s->fresh, "no new process could be started");
	else
		s->restart = RESTART_FRESH;
}

static void adopt_program(struct slot *s)
{
	if (s->fresh_program < 0)
		return;
	close(s->program);
	s->program = s->fresh_program;
	s->fresh_program = -1;
}

static void restart_fresh(struct slot *s, uint64_t now)
{
	if (s->process[s->fresh].stage == PROCESS_STARTING)
		return;
	adopt_program(s);
	if (s->worker != NOBODY && s->worker != s->fresh)
		process_ask(&s->process[s->worker], SIGUSR1, now);
	s->restart = RESTART_SWAP;
}

static void restart_swap(struct slot *s)
{
	if (s->worker == NOBODY || (s->fresh != NOBODY && s->worker != s->fresh))
		return;
	if (s->process[s->worker].stage != PROCESS_ACTIVE)
		return;
	show(s); /* whoever waits for the answer looks at it */
	restart_end(s, 0, "");
}

static void restart_advance(struct slot *s, uint64_t now)
{
	switch (s->restart) {
	case RESTART_CLEAR: restart_clear(s, now); break;
	case RESTART_FRESH: restart_fresh(s, now); break;
	case RESTART_SWAP: restart_swap(s); break;
	default: break;
	}
}

/* Of those who want a restart, the next one when nobody has one. */
static void restart_next(void)
{
	for (unsigned int i = 0; i < n_slots; i++)
		if (slots[i].restart != RESTART_NONE)
			return;
	for (unsigned int i = 0; i < n_slots; i++) {
		if (!slots[i].restart_wanted)
			continue;
		slots[i].restart_wanted = false;
		supervisor_restart(i, NULL, NULL);
		return;
	}
}

/* ---- following ---------------------------------------------------------------------- */

/* A worker that was ended wrote what it had, but another one goes on with it. */
static void forget_checkpoint(const struct slot *s)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/checkpoint/worker-%u", config->runtime_dir, id_of(s));
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
	if (one_is_missing(s) && now >= s->start_due)
		start(s, s->program);
	show(s);
}

void supervisor_tick(void)
{
	uint64_t now = poller_now();

	for (unsigned int i = 0; i < n_slots; i++)
		tick(&slots[i], now);
	restart_next();
}

int supervisor_timeout(void)
{
	uint64_t now = poller_now(), next = NEVER;

	for (unsigned int i = 0; i < n_slots; i++) {
		const struct slot *s = &slots[i];

		for (unsigned int k = 0; k < 2; k++)
			if (s->process[k].pid)
				next = RTE_MIN(next, process_next_look(&s->process[k],
								       config->watchdog, now));
		if (one_is_missing(s))
			next = RTE_MIN(next, s->start_due);
	}
	if (next == NEVER)
		return -1;
	return next <= now ? 0 : (int)(next - now);
}

/* When to start the next one depends on how well this one did. */
static void set_backoff(struct slot *s, const struct process *p, uint64_t now)
{
	if (p->asked || now - p->since >= LIFE_GOOD)
		s->backoff = 0;
	else
		s->backoff = longer(s->backoff);
	s->start_due = now + s->backoff;
}

static void account_end(struct slot *s, const struct process *p, int status)
{
	char text[SL_NAME_LEN];

	spawn_end_text(status, text, sizeof(text));
	if (p->why[0])
		snprintf(text, sizeof(text), "%s", p->why);
	if (p->asked) {
		sl_log(supervisor_log, INFO, "worker %u: process %d ended: %s", id_of(s), p->pid,
		       text);
	} else {
		s->shared->supervisor.deaths++;
		sl_log(supervisor_log, ERR, "worker %u: process %d ended unasked: %s", id_of(s),
		       p->pid, text);
	}
	snprintf(s->shared->supervisor.last_end, SL_NAME_LEN, "%s", text);
}

static void ended(struct slot *s, int k, int status)
{
	uint64_t now = poller_now();
	struct process *p = &s->process[k];

	account_end(s, p, status);
	set_backoff(s, p, now);
	*p = (struct process){0};
	if (s->worker == k) {
		s->worker = NOBODY;
		process_expect_takeover(&s->process[!k], now);
	}
	if (s->fresh == k && s->restart == RESTART_FRESH)
		restart_end(s, -EIO, s->shared->supervisor.last_end);
	else if (s->fresh == k)
		s->fresh = NOBODY;
	show(s);
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
		slots[i] = (struct slot){.shared = root->worker[i],
					 .worker = NOBODY,
					 .program = program,
					 .fresh = NOBODY,
					 .fresh_program = -1};
		n_slots = i + 1;
	}
	return rc;
}

int supervisor_restart(unsigned int id, supervisor_done_fn done, void *arg)
{
	struct slot *s = &slots[id];

	if (id >= n_slots)
		return -EINVAL;
	if (s->restart != RESTART_NONE || stopping)
		return -EBUSY;
	s->done = done;
	s->done_arg = arg;
	s->restart = RESTART_CLEAR;
	s->start_due = 0;
	return 0;
}

void supervisor_restart_all(void)
{
	for (unsigned int i = 0; i < n_slots; i++)
		slots[i].restart_wanted = true;
}

void supervisor_forget(void *arg)
{
	for (unsigned int i = 0; i < n_slots; i++)
		if (slots[i].done_arg == arg)
			slots[i].done = NULL;
}

void supervisor_stop(void)
{
	uint64_t now = poller_now();

	stopping = true;
	for (unsigned int i = 0; i < n_slots; i++) {
		struct slot *s = &slots[i];

		restart_end(s, -ESHUTDOWN, "the primary stops");
		s->restart_wanted = false;
		for (unsigned int k = 0; k < 2; k++)
			process_ask(&s->process[k], SIGTERM, now);
		show(s);
	}
}

bool supervisor_stopped(void)
{
	for (unsigned int i = 0; i < n_slots; i++)
		if (living(&slots[i]))
			return false;
	return stopping;
}
