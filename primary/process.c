/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/process.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <sluice/log.h>
#include <sluice/shm.h>

SL_LOG_TYPE(process_log, "sluice.primary.process");

/* Milliseconds. */
#define START_MAX    20000
#define STOP_MAX     5000
#define TAKEOVER_MAX 1000 /* from the worker's end until a standby holds the lease */
#define POLL         10   /* while a stage is to change soon */
#define STANDBY_BEAT 200  /* a standby's beat may be so much slower than a worker's */

void process_begin(struct process *p, unsigned int k, pid_t pid, uint64_t now)
{
	*p = (struct process){
		.pid = pid,
		.stage = PROCESS_STARTING,
		.k = k,
		.since = now,
		.started = now,
		.due = now + START_MAX,
	};
}

static void enter(struct process *p, enum process_stage stage, uint64_t due)
{
	p->stage = stage;
	p->due = due;
	p->missed = 0;
}

static void end_by_force(struct process *p, const struct sl_worker_slot *slot, const char *format,
			 ...) __rte_format_printf(3, 4);
static void end_by_force(struct process *p, const struct sl_worker_slot *slot, const char *format,
			 ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(p->why, sizeof(p->why), format, list);
	va_end(list);
	sl_log(process_log, ERR, "worker %u: process %d %s, killed", slot->id, p->pid, p->why);
	enter(p, PROCESS_KILLED, PROCESS_NEVER);
	kill(p->pid, SIGKILL);
}

/* A dead predecessor's words are still set, with another pid. */
static bool waits(const struct process *p, const struct sl_worker_slot *slot)
{
	return (pid_t)__atomic_load_n(&slot->standby[p->k].pid, __ATOMIC_ACQUIRE) == p->pid;
}

static bool holds_lease(const struct process *p, const struct sl_worker_slot *slot)
{
	return (pid_t)__atomic_load_n(&slot->worker.pid, __ATOMIC_ACQUIRE) == p->pid;
}

static bool in_its_loop(const struct process *p, const struct sl_worker_slot *slot)
{
	return __atomic_load_n(&slot->worker.running, __ATOMIC_ACQUIRE) && holds_lease(p, slot);
}

static bool advance(struct process *p, const struct sl_worker_slot *slot, uint64_t now)
{
	if (p->stage != PROCESS_STARTING && p->stage != PROCESS_WAITING)
		return false;
	if (in_its_loop(p, slot)) {
		enter(p, PROCESS_ACTIVE, PROCESS_NEVER);
		p->since = now;
		p->worked = true;
		return true;
	}
	if (p->stage != PROCESS_STARTING || !waits(p, slot))
		return false;
	enter(p, PROCESS_WAITING, PROCESS_NEVER);
	p->since = now;
	p->stood_by = true;
	return true;
}

static void too_late(struct process *p, const struct sl_worker_slot *slot, uint64_t now)
{
	switch (p->stage) {
	case PROCESS_STARTING:
		end_by_force(p, slot, "not ready after %u s", START_MAX / 1000);
		break;
	case PROCESS_WAITING:
		if (holds_lease(p, slot)) { /* it repairs */
			p->stage = PROCESS_STARTING;
			p->due = now + START_MAX;
			break;
		}
		end_by_force(p, slot, "did not take over within %u ms", TAKEOVER_MAX);
		break;
	default: end_by_force(p, slot, "deaf to a signal for %u s", STOP_MAX / 1000);
	}
}

static uint64_t age_ms(uint64_t beat_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * UINT64_C(1000000000) + now.tv_nsec - beat_ns) / 1000000;
}

static void look_at_beat(struct process *p, const struct sl_worker_slot *slot,
			 unsigned int watchdog, uint64_t now)
{
	/* From the lease on it beats as a worker: to repair may take longer than a watchdog's time.
	 */
	bool works = p->stage == PROCESS_ACTIVE || holds_lease(p, slot);
	const uint64_t *word = works ? &slot->worker.heartbeat_ns : &slot->standby[p->k].beat_ns;
	uint64_t beat = __atomic_load_n(word, __ATOMIC_RELAXED);

	if (now < p->next_look)
		return;
	p->next_look = now + PROCESS_LOOK_MS;
	p->missed = beat == p->beat ? p->missed + 1 : 0;
	p->beat = beat;
	if (!works)
		watchdog += STANDBY_BEAT;
	if (p->missed * PROCESS_LOOK_MS >= watchdog)
		end_by_force(p, slot, "hung for %" PRIu64 " ms", age_ms(beat));
}

static bool watched(const struct process *p, unsigned int watchdog)
{
	return watchdog && (p->stage == PROCESS_ACTIVE || p->stage == PROCESS_WAITING);
}

bool process_look(struct process *p, const struct sl_worker_slot *slot, unsigned int watchdog,
		  uint64_t now)
{
	enum process_stage before = p->stage;

	if (!p->pid)
		return false;
	if (!advance(p, slot, now) && now >= p->due)
		too_late(p, slot, now);
	else if (watched(p, watchdog))
		look_at_beat(p, slot, watchdog, now);
	return p->stage != before;
}

void process_ask(struct process *p, int signal, uint64_t now)
{
	if (p->stage == PROCESS_NONE || p->stage == PROCESS_KILLED)
		return;
	p->asked = true;
	kill(p->pid, signal);
	if (p->stage != PROCESS_LEAVING)
		enter(p, PROCESS_LEAVING, now + STOP_MAX);
}

void process_expect_takeover(struct process *p, uint64_t now)
{
	if (p->stage == PROCESS_WAITING)
		p->due = now + TAKEOVER_MAX;
}

bool process_was_ready(const struct process *p, const struct sl_worker_slot *slot)
{
	return p->stood_by || p->worked || waits(p, slot) || in_its_loop(p, slot);
}

uint64_t process_next_look(const struct process *p, unsigned int watchdog, uint64_t now)
{
	bool soon = p->stage == PROCESS_STARTING ||
		    (p->stage == PROCESS_WAITING && p->due != PROCESS_NEVER);

	if (soon)
		return now + POLL;
	return watched(p, watchdog) ? RTE_MIN(p->due, p->next_look) : p->due;
}
