/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include "primary/boot_config.h"
#include "primary/poller.h"
#include "primary/spawn.h"

SL_LOG_TYPE(supervisor_log, "sluice.primary.supervisor");

/* Milliseconds. */
#define START_MAX   20000
#define START_POLL  10
#define STOP_MAX    5000
#define LIFE_GOOD   10000
#define BACKOFF_MIN 100u
#define BACKOFF_MAX 10000u
#define NEVER       UINT64_MAX

struct child {
	struct sl_worker_slot *slot;
	pid_t pid;               /* 0: none */
	unsigned int turn;       /* which of its two lcore ids */
	unsigned int backoff;    /* before the next start */
	uint64_t started;        /* of the last start */
	uint64_t due;            /* when its state has lasted long enough */
	bool asked;              /* its end is our doing */
	supervisor_done_fn done; /* whoever waits for a restart */
	void *done_arg;
};

static const struct boot_config *config;
static struct child children[SL_MAX_WORKERS];
static unsigned int n_children;
static bool stopping;
static bool was_ready;

static enum sl_worker_state state_of(const struct child *c)
{
	return c->slot->supervisor.state;
}

static void enter(struct child *c, enum sl_worker_state state, uint64_t due)
{
	c->due = due;
	c->slot->supervisor.pid = c->pid;
	__atomic_store_n(&c->slot->supervisor.state, state, __ATOMIC_RELEASE);
}

static void tell_waiter(struct child *c, int status, const char *text)
{
	supervisor_done_fn done = c->done;

	c->done = NULL;
	if (done)
		done(c->done_arg, status, text);
}

static unsigned int longer(unsigned int backoff)
{
	return backoff ? RTE_MIN(2 * backoff, BACKOFF_MAX) : BACKOFF_MIN;
}

static void start(struct child *c)
{
	unsigned int id = c->slot->id;
	uint64_t now = poller_now();
	pid_t pid = spawn_worker(config, id, SL_LCORE_WORKER(id, c->turn));

	if (pid < 0) {
		sl_log(supervisor_log, ERR, "worker %u: cannot start: %s", id, strerror(-pid));
		c->backoff = longer(c->backoff);
		c->due = now + c->backoff;
		return;
	}
	c->turn ^= 1;
	c->pid = pid;
	c->asked = false;
	c->started = now;
	c->slot->supervisor.starts++;
	c->slot->supervisor.started_ns = now * UINT64_C(1000000);
	enter(c, SL_WORKER_STARTING, now + START_MAX);
	sl_log(supervisor_log, INFO, "worker %u: process %d started on CPU %u", id, pid,
	       c->slot->cpu);
}

static void say_ready(void)
{
	for (unsigned int i = 0; i < n_children; i++)
		if (state_of(&children[i]) != SL_WORKER_RUNNING)
			return;
	if (!was_ready)
		sl_log(supervisor_log, INFO, "primary ready: %u workers, %u ports", n_children,
		       config->n_ports);
	was_ready = true;
}

/* A dead predecessor's `running` is still set, with another pid. */
static bool in_its_loop(const struct child *c)
{
	return __atomic_load_n(&c->slot->worker.running, __ATOMIC_ACQUIRE) &&
	       (pid_t)c->slot->worker.pid == c->pid;
}

static void ask_to_end(struct child *c)
{
	c->asked = true;
	kill(c->pid, SIGTERM);
	enter(c, SL_WORKER_STOPPING, poller_now() + STOP_MAX);
}

static void tick(struct child *c, uint64_t now)
{
	switch (state_of(c)) {
	case SL_WORKER_DOWN:
		if (now >= c->due)
			start(c);
		break;
	case SL_WORKER_STARTING:
		if (in_its_loop(c)) {
			enter(c, SL_WORKER_RUNNING, NEVER);
			tell_waiter(c, 0, "");
			say_ready();
		} else if (now >= c->due) {
			sl_log(supervisor_log, ERR, "worker %u: not running after %u s, killed",
			       c->slot->id, START_MAX / 1000);
			c->due = NEVER;
			kill(c->pid, SIGKILL);
		}
		break;
	case SL_WORKER_STOPPING:
		if (now >= c->due) {
			sl_log(supervisor_log, WARNING, "worker %u: deaf to SIGTERM, killed",
			       c->slot->id);
			c->due = NEVER;
			kill(c->pid, SIGKILL);
		}
		break;
	default: break;
	}
}

void supervisor_tick(void)
{
	uint64_t now = poller_now();

	for (unsigned int i = 0; i < n_children; i++)
		tick(&children[i], now);
}

int supervisor_timeout(void)
{
	uint64_t now = poller_now(), next = NEVER;

	for (unsigned int i = 0; i < n_children; i++) {
		struct child *c = &children[i];
		uint64_t due = c->due;

		if (state_of(c) == SL_WORKER_STARTING)
			due = RTE_MIN(due, now + START_POLL);
		next = RTE_MIN(next, due);
	}
	if (next == NEVER)
		return -1;
	return next <= now ? 0 : (int)(next - now);
}

/* When to start the next one, which depends on how well this one did. */
static uint64_t next_start(struct child *c, uint64_t now)
{
	if (stopping)
		return NEVER;
	if (c->asked || now - c->started >= LIFE_GOOD)
		c->backoff = 0;
	else
		c->backoff = longer(c->backoff);
	return now + c->backoff;
}

static void ended(struct child *c, int status)
{
	char *text = c->slot->supervisor.last_end;
	bool failed_start = state_of(c) == SL_WORKER_STARTING;
	uint64_t now = poller_now();

	spawn_end_text(status, text, sizeof(c->slot->supervisor.last_end));
	if (c->asked) {
		sl_log(supervisor_log, INFO, "worker %u: process %d ended: %s", c->slot->id, c->pid,
		       text);
	} else {
		c->slot->supervisor.deaths++;
		sl_log(supervisor_log, ERR, "worker %u: process %d ended unasked: %s", c->slot->id,
		       c->pid, text);
	}
	c->pid = 0;
	enter(c, SL_WORKER_DOWN, next_start(c, now));
	if (failed_start)
		tell_waiter(c, -EIO, text);
}

void supervisor_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned int i = 0; i < n_children; i++)
			if (children[i].pid == pid)
				ended(&children[i], status);
}

void supervisor_start(const struct boot_config *boot, struct sl_root *root)
{
	config = boot;
	n_children = root->n_workers;
	for (unsigned int i = 0; i < n_children; i++) {
		children[i] = (struct child){.slot = root->worker[i]};
		start(&children[i]);
	}
}

int supervisor_restart(unsigned int id, supervisor_done_fn done, void *arg)
{
	struct child *c = &children[id];

	if (id >= n_children)
		return -EINVAL;
	if (c->done || stopping)
		return -EBUSY;
	c->done = done;
	c->done_arg = arg;
	if (state_of(c) == SL_WORKER_DOWN)
		c->due = poller_now();
	else if (state_of(c) != SL_WORKER_STOPPING)
		ask_to_end(c);
	return 0;
}

void supervisor_forget(void *arg)
{
	for (unsigned int i = 0; i < n_children; i++)
		if (children[i].done_arg == arg)
			children[i].done = NULL;
}

void supervisor_stop(void)
{
	stopping = true;
	for (unsigned int i = 0; i < n_children; i++) {
		struct child *c = &children[i];

		tell_waiter(c, -ESHUTDOWN, "the primary stops");
		if (state_of(c) == SL_WORKER_DOWN)
			c->due = NEVER;
		else
			ask_to_end(c);
	}
}

bool supervisor_stopped(void)
{
	for (unsigned int i = 0; i < n_children; i++)
		if (children[i].pid)
			return false;
	return stopping;
}
