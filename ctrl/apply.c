/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transaction, and the queue before it (see the head of apply.h). Its steps, each of which
 * ends in answer() or leads to the next; those marked * end on another turn of the event loop, + on
 * the thread, for what takes as long as the request is large or the disk is slow:
 *
 *   start -> resolve+ -> prepare* -> attempt -> commit+ -> publish* -> answer
 *
 * Nobody but the job under way changes the model, so the thread may read it in `resolve`.
 *
 * A store without revisions while the workers use one means that the database was lost: it
 * was damaged and set aside, or somebody removed it. Forwarding goes on with what is in shared
 * memory. A single change would then replace the running configuration by nearly
 * nothing, so only a whole configuration is accepted, which the operator has to apply (a
 * former file or a backup). A restart of the whole appliance ends that state too.
 */
#include "ctrl/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include <event2/event.h>

#include "ctrl/apply_job.h"
#include "ctrl/background.h"
#include "ctrl/change.h"
#include "ctrl/compile.h"
#include "ctrl/ctrl.h"
#include "ctrl/publish.h"

SL_LOG_TYPE(apply_log, "sluice.ctrl.apply");

/* Bounds on what waits. */
#define QUEUE_MAX       64
#define QUEUE_MAX_BYTES (64u << 20)

struct apply {
	struct ctrl *ctrl;
	struct store *store; /* the thread's, while it commits */
	struct background *background;
	struct publish *publish;
	struct compiler *compiler;
	struct event *kick; /* start the next request, on a turn of its own */
	STAILQ_HEAD(, job) queue;
	unsigned int queued;
	size_t queued_bytes;
	struct job *job; /* under way; NULL: none */
};

static void kick(struct apply *a)
{
	event_active(a->kick, EV_TIMEOUT, 0);
}

/* ---- the end ---- */

static void answer(struct apply *a)
{
	struct job *job = a->job;
	struct apply_result result = {
		.problem = job->problem,
		.revision = a->ctrl->model->revision,
		.created = job->changes.created,
		.updated = job->changes.updated,
		.deleted = job->changes.deleted,
	};

	if (job->problem.code && job->problem.code != PROBLEM_DEADLINE_EXCEEDED)
		result.created = result.updated = result.deleted = 0;
	job->done(job->arg, &result);
	if (job->changes.entered && !job->committed)
		change_leave(&job->changes);
	a->job = NULL;
	job_free(job);
	kick(a);
}

static void on_published(void *arg, const struct problem *problem)
{
	struct apply *a = arg;

	a->job->problem = *problem;
	answer(a);
}

/* ---- commit ---- */

static struct job *job_of(struct background_task *task)
{
	return (struct job *)((char *)task - offsetof(struct job, task));
}

static void on_thread(struct apply *a, void (*work)(struct background_task *),
		      void (*done)(struct background_task *))
{
	a->job->task.work = work;
	a->job->task.done = done;
	background_run(a->background, &a->job->task);
}

static void work_commit(struct background_task *task)
{
	struct job *job = job_of(task);

	store_commit(job->apply->store, &job->revision, &job->problem);
}

static void on_committed(struct background_task *task)
{
	struct job *job = job_of(task);
	struct apply *a = job->apply;
	struct problem why;

	if (job->problem.code) {
		sl_log(apply_log, ERR, "revision %" PRIu64 ": not stored: %s", job->revision.number,
		       job->problem.text);
		answer(a);
		return;
	}
	/* It was entered before, so only memory can be missing. The store knows better than we. */
	if (change_enter(&job->changes, &why)) {
		sl_log(apply_log, ERR, "revision %" PRIu64 ": stored, but %s", job->revision.number,
		       why.text);
		abort();
	}
	compile_keep(a->compiler);
	change_settle(&job->changes, job->revision.number);
	job->committed = true;
	sl_log(apply_log, INFO, "revision %" PRIu64 ": %u created, %u updated, %u deleted",
	       job->revision.number, job->changes.created, job->changes.updated,
	       job->changes.deleted);
	publish_go(a->publish, on_published, a);
}

static void commit(struct apply *a)
{
	struct job *job = a->job;

	job->revision.author = job->request.author;
	job->revision.comment = job->request.comment;
	job->revision.changes = &job->changes;
	on_thread(a, work_commit, on_committed);
}

/* ---- the attempt: within one turn of the loop, so that nobody sees it ---- */

/* Revision that the workers use; 0: none. */
static uint64_t running_revision(const struct apply *a)
{
	const struct sl_snapshot *now = publish_current(a->publish);

	return now ? now->revision : 0;
}

static bool store_lost(const struct apply *a)
{
	return a->ctrl->model->revision == 0 && running_revision(a) != 0;
}

static uint64_t next_revision(const struct apply *a)
{
	uint64_t stored = a->ctrl->model->revision, running = running_revision(a);

	return (stored > running ? stored : running) + 1;
}

static int enter(struct apply *a, struct problem *why)
{
	struct job *job = a->job;

	if (store_lost(a) && job->changes.n && job->request.op != APPLY_CONFIG)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "the configuration database is new while the workers use "
				   "revision %" PRIu64
				   ", which is lost on disk: only a whole configuration can be "
				   "applied, which replaces what is running",
				   running_revision(a));
	return change_enter(&job->changes, why);
}

static int compile_job(struct apply *a, struct problem *why)
{
	struct compile_target target = {
		.room = a->ctrl->root->arena.half_size,
		.revision = a->job->revision.number,
		.previous = publish_current(a->publish),
	};

	target.out = publish_half(a->publish, &target.generation);
	return compile(a->compiler, &target, why);
}

/* Nothing was asked to change: do the workers use what the model says? */
static void catch_up(struct apply *a)
{
	const struct sl_snapshot *now = publish_current(a->publish);
	uint64_t generation;
	const struct sl_snapshot *model = publish_half(a->publish, &generation);

	if (now && compile_same(now, model)) {
		answer(a);
		return;
	}
	sl_log(apply_log, NOTICE, "revision %" PRIu64 ": published, the workers used %" PRIu64,
	       a->ctrl->model->revision, running_revision(a));
	publish_go(a->publish, on_published, a);
}

static void attempt(struct apply *a)
{
	struct job *job = a->job;
	bool catching_up = job->request.op == APPLY_NOTHING;

	if (enter(a, &job->problem)) {
		answer(a);
		return;
	}
	if (!job->changes.n && !catching_up) {
		answer(a);
		return;
	}
	job->revision.number = catching_up ? a->ctrl->model->revision : next_revision(a);
	if (compile_job(a, &job->problem) || job->request.validate_only) {
		answer(a);
	} else if (catching_up) {
		catch_up(a);
	} else {
		change_leave(&job->changes);
		commit(a);
	}
}

/* ---- the beginning ---- */

static void on_prepared(void *arg, const struct problem *problem)
{
	struct apply *a = arg;

	a->job->problem = *problem;
	if (problem->code)
		answer(a);
	else
		attempt(a);
}

static void work_resolve(struct background_task *task)
{
	struct job *job = job_of(task);

	job_resolve(job, job->apply->ctrl->model, &job->problem);
}

static void on_resolved(struct background_task *task)
{
	struct apply *a = job_of(task)->apply;

	if (a->job->problem.code)
		answer(a);
	else
		publish_prepare(a->publish, on_prepared, a);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct apply *a = arg;

	(void)fd;
	(void)what;
	if (a->job || STAILQ_EMPTY(&a->queue))
		return;
	a->job = STAILQ_FIRST(&a->queue);
	STAILQ_REMOVE_HEAD(&a->queue, link);
	a->queued--;
	a->queued_bytes -= a->job->size;
	a->job->apply = a;
	on_thread(a, work_resolve, on_resolved);
}

int apply_submit(struct apply *a, const struct apply_request *request, apply_done_fn done,
		 void *arg, struct problem *why)
{
	struct job *job;

	if (a->queued >= QUEUE_MAX)
		return problem_set(why, PROBLEM_UNAVAILABLE,
				   "%d changes wait already: try again later", QUEUE_MAX);
	job = job_new(request, QUEUE_MAX_BYTES - a->queued_bytes, why);
	if (!job)
		return -EINVAL;
	job->done = done;
	job->arg = arg;
	STAILQ_INSERT_TAIL(&a->queue, job, link);
	a->queued++;
	a->queued_bytes += job->size;
	kick(a);
	return 0;
}

/* ---- life ---- */

static void on_caught_up(void *arg, const struct apply_result *result)
{
	(void)arg;
	if (result->problem.code)
		sl_log(apply_log, ERR,
		       "revision %" PRIu64 ": is stored, but the workers don't use it: %s: %s",
		       result->revision, problem_code_name(result->problem.code),
		       result->problem.text);
}

/* A stored configuration may not fit a changed boot configuration: then it is said, and stays. */
static void begin(struct apply *a)
{
	const struct apply_request nothing = {.op = APPLY_NOTHING};
	struct problem why;

	if (store_lost(a))
		sl_log(apply_log, ERR,
		       "the database has no configuration, but the workers use revision %" PRIu64
		       ": they keep it; apply a whole configuration to replace it",
		       running_revision(a));
	else if (a->ctrl->model->revision && apply_submit(a, &nothing, on_caught_up, NULL, &why))
		sl_log(apply_log, ERR, "%s", why.text);
}

struct apply *apply_new(struct ctrl *ctrl, struct store *store)
{
	struct apply *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->ctrl = ctrl;
	STAILQ_INIT(&a->queue);
	a->kick = event_new(ctrl->base, -1, 0, on_kick, a);
	a->publish = publish_new(ctrl->base, ctrl->root, ctrl->primary);
	a->store = store;
	a->background = background_new(ctrl->base);
	a->compiler = compiler_new(ctrl->model);
	if (a->kick && a->publish && a->background && a->compiler) {
		begin(a);
		return a;
	}
	if (a->kick)
		event_free(a->kick);
	publish_free(a->publish);
	background_free(a->background);
	compiler_free(a->compiler);
	free(a);
	errno = ENOMEM;
	return NULL;
}

static void refuse(struct job *job, uint64_t revision)
{
	struct apply_result result = {.revision = revision};

	problem_set(&result.problem, PROBLEM_UNAVAILABLE,
		    "the control daemon ends; look at the configuration to see what was done");
	job->done(job->arg, &result);
	job_free(job);
}

void apply_free(struct apply *a)
{
	struct job *job;

	if (!a)
		return;
	background_free(a->background);
	publish_free(a->publish);
	compiler_free(a->compiler);
	event_free(a->kick);
	if (a->job)
		refuse(a->job, a->ctrl->model->revision);
	while ((job = STAILQ_FIRST(&a->queue))) {
		STAILQ_REMOVE_HEAD(&a->queue, link);
		refuse(job, a->ctrl->model->revision);
	}
	free(a);
}
