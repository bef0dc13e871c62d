/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/publish.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/log.h>
#include <sluice/msg.h>

#include <event2/event.h>
#include "ctrl/commands.h"
#include "ctrl/primary_client.h"

SL_LOG_TYPE(publish_log, "sluice.ctrl.publish");

#define POLL_MS    1
#define PRIMARY_MS 2000

struct publish {
	struct sl_root *root;
	struct primary_client *primary;
	struct event *timer;
	uint64_t deadline_ms;
	struct commands *commands;
	struct commands_waiter told; /* while workers may refuse the last snapshot */
	uint32_t waiting;            /* workers that have not acknowledged, a bit each */
	publish_fn ready;            /* of publish_prepare, while it waits */
	publish_fn done;             /* of publish_go, while it waits */
	void *arg;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t current(const struct publish *p)
{
	return __atomic_load_n(&p->root->arena.current, __ATOMIC_ACQUIRE);
}

const struct sl_snapshot *publish_current(const struct publish *p)
{
	uint64_t now = current(p);

	return now ? p->root->arena.half[now & 1] : NULL;
}

struct sl_snapshot *publish_half(const struct publish *p, uint64_t *generation)
{
	uint64_t now = current(p);

	*generation = (now >> 1) + 1;
	return p->root->arena.half[now ? !(now & 1) : 0];
}

/* ---- who uses what ---- */

static uint32_t state_of(const struct publish *p, unsigned int worker)
{
	return __atomic_load_n(&p->root->worker[worker]->supervisor.state, __ATOMIC_ACQUIRE);
}

static uint64_t used_by(const struct publish *p, unsigned int worker)
{
	return __atomic_load_n(&p->root->worker[worker]->worker.snapshot_in_use, __ATOMIC_SEQ_CST);
}

/* Within its use of a snapshot: then the word stays. */
static bool primary_died(const struct publish *p)
{
	return kill(p->root->primary_pid, 0) && errno == ESRCH;
}

/*
 * Does anybody use another generation than the current one? Then it is the other half's. A
 * worker without a process leaves its word behind, and takes the current one when it starts.
 */
static bool half_busy(const struct publish *p, struct problem *why)
{
	uint64_t generation = current(p) >> 1, used;

	for (unsigned int w = 0; w < p->root->n_workers; w++) {
		used = used_by(p, w);
		if (used && used != generation && state_of(p, w) != SL_WORKER_DOWN) {
			problem_set(why, PROBLEM_UNAVAILABLE,
				    "worker %u still uses the configuration before the current "
				    "one, whose room is needed: try again, or restart the worker",
				    w);
			return true;
		}
	}
	used = __atomic_load_n(&p->root->primary_snapshot_in_use, __ATOMIC_SEQ_CST);
	if (!used || used == generation || primary_died(p))
		return false;
	problem_set(why, PROBLEM_UNAVAILABLE,
		    "the primary still uses the configuration before "
		    "the current one, whose room is needed: try again");
	return true;
}

/* ---- waiting ---- */

static void wait_ms(struct publish *p, unsigned int ms)
{
	const struct timeval interval = {0, POLL_MS * 1000};

	p->deadline_ms = now_ms() + ms;
	event_add(p->timer, &interval);
}

static void finish(struct publish *p, const struct problem *problem)
{
	publish_fn fn = p->ready ? p->ready : p->done;

	event_del(p->timer);
	p->ready = NULL;
	p->done = NULL;
	fn(p->arg, problem);
}

static void poll_half(struct publish *p)
{
	struct problem why = {.code = PROBLEM_NONE};

	if (!half_busy(p, &why) || now_ms() >= p->deadline_ms)
		finish(p, &why);
}

void publish_prepare(struct publish *p, publish_fn ready, void *arg)
{
	p->ready = ready;
	p->arg = arg;
	wait_ms(p, PUBLISH_FREE_MS);
	poll_half(p);
}

/* ---- commands and answers ---- */

static void on_answer(void *arg, unsigned int worker, const struct sl_answer *answer)
{
	(void)arg;
	if (answer->status)
		sl_log(publish_log, WARNING, "worker %u: refused the snapshot: %s", worker,
		       strerror(answer->status < -INT32_MAX ? EINVAL : -answer->status));
}

/* The word by which a worker protects the snapshot that it reads is its acknowledgement. */
static void poll_workers(struct publish *p)
{
	uint64_t generation = current(p) >> 1;

	commands_collect(p->commands);
	for (unsigned int w = 0; w < p->root->n_workers; w++) {
		if (!(p->waiting & UINT32_C(1) << w))
			continue;
		if (state_of(p, w) != SL_WORKER_RUNNING || used_by(p, w) == generation)
			p->waiting &= ~(UINT32_C(1) << w);
	}
}

static void report_late(struct publish *p)
{
	struct problem why;
	char list[SL_MAX_WORKERS * 4] = "";
	size_t n = 0;

	for (unsigned int w = 0; w < p->root->n_workers; w++)
		if (p->waiting & UINT32_C(1) << w)
			n += snprintf(list + n, sizeof(list) - n, " %u", w);
	problem_set(&why, PROBLEM_DEADLINE_EXCEEDED,
		    "revision %" PRIu64 " is stored and published, but not used after %d ms by "
		    "worker%s",
		    publish_current(p)->revision, PUBLISH_ACK_MS, list);
	sl_log(publish_log, ERR, "%s", why.text);
	finish(p, &why);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct problem none = {.code = PROBLEM_NONE};
	struct publish *p = arg;

	(void)fd;
	(void)what;
	if (p->ready) {
		poll_half(p);
		return;
	}
	poll_workers(p);
	if (!p->waiting)
		finish(p, &none);
	else if (now_ms() >= p->deadline_ms)
		report_late(p);
}

/* A ring that is full belongs to a worker that is gone, or that will be late anyhow. */
static void tell_worker(struct publish *p, unsigned int worker, uint64_t generation)
{
	const struct sl_command command = {
		.id = p->told.id,
		.type = SL_COMMAND_SNAPSHOT,
		.argument = generation,
	};

	commands_send(p->commands, worker, command);
}

static void tell_workers(struct publish *p, uint64_t generation)
{
	commands_collect(p->commands);
	commands_forget(&p->told);
	commands_wait(p->commands, &p->told);
	p->waiting = 0;
	for (unsigned int w = 0; w < p->root->n_workers; w++) {
		tell_worker(p, w, generation);
		if (state_of(p, w) == SL_WORKER_RUNNING)
			p->waiting |= UINT32_C(1) << w;
	}
}

static void on_primary(void *arg, int status, const char *text)
{
	(void)arg;
	if (status)
		sl_log(publish_log, WARNING, "primary: does not know of the new snapshot yet: %s",
		       text);
}

static void tell_primary(struct publish *p)
{
	if (p->primary &&
	    primary_request(p->primary, SL_PRIMARY_SNAPSHOT, 0, PRIMARY_MS, on_primary, NULL))
		on_primary(NULL, -ENOMEM, "out of memory");
}

void publish_go(struct publish *p, publish_fn done, void *arg)
{
	uint64_t generation, now = current(p);

	publish_half(p, &generation);
	/* Sequentially consistent: the words in use are read after it, see sl_snapshot_use. */
	__atomic_store_n(&p->root->arena.current, SL_CURRENT(generation, now ? !(now & 1) : 0),
			 __ATOMIC_SEQ_CST);
	tell_workers(p, generation);
	tell_primary(p);
	p->done = done;
	p->arg = arg;
	wait_ms(p, PUBLISH_ACK_MS);
}

/* ---- life ---- */

/*
 * A predecessor killed between the store that makes a half current and the last command: nobody
 * would tell the others, and the half that they use would never be free for a next publication.
 */
static void tell_who_was_not(struct publish *p)
{
	uint64_t generation = current(p) >> 1;

	if (!generation)
		return;
	for (unsigned int w = 0; w < p->root->n_workers; w++)
		if (used_by(p, w) != generation)
			tell_worker(p, w, generation);
	tell_primary(p);
}

struct publish *publish_new(struct event_base *base, struct sl_root *root,
			    struct commands *commands, struct primary_client *primary)
{
	struct publish *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->root = root;
	p->commands = commands;
	p->primary = primary;
	p->told.answered = on_answer;
	p->timer = event_new(base, -1, EV_PERSIST, on_timer, p);
	if (!p->timer) {
		free(p);
		errno = ENOMEM;
		return NULL;
	}
	commands_wait(commands, &p->told);
	tell_who_was_not(p);
	return p;
}

void publish_free(struct publish *p)
{
	if (!p)
		return;
	commands_forget(&p->told);
	event_free(p->timer);
	free(p);
}
