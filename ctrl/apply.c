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
 *
 * A revision that waits for its confirmation is kept in the store with its deadline, so that a
 * killed daemon goes on waiting when it is back, or rolls back at once when it is too late. Until
 * then nothing else may change: going back would undo it. The rollback is a request as any other.
 */
#include "ctrl/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include <event2/event.h>

#include "ctrl/apply_job.h"
#include "ctrl/audit.h"
#include "ctrl/background.h"
#include "ctrl/change.h"
#include "ctrl/compile.h"
#include "ctrl/ctrl.h"
#include "ctrl/publish.h"

SL_LOG_TYPE(apply_log, "sluice.ctrl.apply");

/* Bounds on what waits. */
#define QUEUE_MAX        64
#define QUEUE_MAX_BYTES  (64u << 20)

#define ROLLBACK_AGAIN_S 10 /* after one that failed */

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
	struct audit *audit;
	struct store_pending pending; /* as the store has it; that one is the thread's */
	struct event *confirm;        /* until its deadline */
	struct background_task tidy;
	bool tidying;
	bool more_to_tidy; /* the thread says */
};

static void kick(struct apply *a)
{
	event_active(a->kick, EV_TIMEOUT, 0);
}

static void on_thread(struct apply *a, void (*work)(struct background_task *),
		      void (*done)(struct background_task *))
{
	a->job->task.work = work;
	a->job->task.done = done;
	background_run(a->background, &a->job->task);
}

/* ---- what is kept no longer: removed in slices, between the requests ---- */

static struct apply *tidied(struct background_task *task)
{
	return (struct apply *)((char *)task - offsetof(struct apply, tidy));
}

static void work_tidy(struct background_task *task)
{
	struct apply *a = tidied(task);

	a->more_to_tidy = store_tidy(a->store);
}

static void on_tidied(struct background_task *task)
{
	struct apply *a = tidied(task);

	a->tidying = a->more_to_tidy;
	if (a->tidying)
		background_run(a->background, &a->tidy);
}

static void tidy(struct apply *a)
{
	if (a->tidying)
		return;
	a->tidying = true;
	background_run(a->background, &a->tidy);
}

/* ---- the end ---- */

static struct apply_result result_of(const struct apply *a)
{
	const struct job *job = a->job;
	const struct store_pending *pending = &a->pending;
	struct apply_result result = {
		.problem = job->problem,
		.revision = a->ctrl->model->revision,
		.recorded = job->committed && job->request.method,
	};

	if (pending->revision && pending->revision == result.revision)
		result.confirm_by = pending->deadline;
	if (job->problem.code && job->problem.code != PROBLEM_DEADLINE_EXCEEDED)
		return result;
	result.created = job->changes.created;
	result.updated = job->changes.updated;
	result.deleted = job->changes.deleted;
	result.changes = &job->changes;
	if (job->repeated) {
		result.response = job->response;
		result.response_len = job->response_len;
	}
	return result;
}

static void answer(struct apply *a)
{
	struct job *job = a->job;
	struct apply_result result = result_of(a);

	job->done(job->arg, &result);
	if (job->changes.entered && !job->committed)
		change_leave(&job->changes);
	if (job->committed)
		tidy(a);
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

/* ---- the wait for a confirmation ---- */

static uint64_t left_s(const struct store_pending *pending)
{
	uint64_t now = (uint64_t)time(NULL);

	return pending->deadline > now ? pending->deadline - now : 0;
}

static void wait_for_confirmation(struct apply *a)
{
	struct timeval left = {0};

	a->pending = *store_pending(a->store);
	left.tv_sec = (time_t)left_s(&a->pending);
	if (a->pending.revision)
		event_add(a->confirm, &left);
	else
		event_del(a->confirm);
}

static void on_rolled_back(void *arg, const struct apply_result *result)
{
	const struct timeval again = {.tv_sec = ROLLBACK_AGAIN_S};
	struct apply *a = arg;

	if (result->problem.code == PROBLEM_ABORTED)
		return;
	if (result->problem.code && result->problem.code != PROBLEM_DEADLINE_EXCEEDED) {
		sl_log(apply_log, ERR, "the automatic rollback: %s", result->problem.text);
		event_add(a->confirm, &again);
	} else {
		sl_log(apply_log, NOTICE, "revision %" PRIu64 ": what was not confirmed is undone",
		       result->revision);
	}
}

static void on_confirm_due(evutil_socket_t fd, short what, void *arg)
{
	struct apply *a = arg;
	const struct store_pending *pending = &a->pending;
	const struct timeval again = {.tv_sec = 1};
	struct problem why;
	char comment[80];
	const struct apply_request request = {
		.op = APPLY_ROLLBACK,
		.revision = pending->base,
		.unconfirmed = pending->revision,
		.author = "sluice",
		.method = "automatic rollback",
		.resource = "config",
		.comment = comment,
	};

	(void)fd;
	(void)what;
	if (!pending->revision)
		return;
	snprintf(comment, sizeof(comment), "revision %" PRIu64 " was not confirmed in time",
		 pending->revision);
	sl_log(apply_log, WARNING, "%s: back to revision %" PRIu64, comment, pending->base);
	if (apply_submit(a, &request, on_rolled_back, a, &why))
		event_add(a->confirm, &again);
}

/* ---- commit ---- */

static struct job *job_of(struct background_task *task)
{
	return (struct job *)((char *)task - offsetof(struct job, task));
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
	job->committed = true;
	wait_for_confirmation(a);
	if (!job->revision.number) {
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
	sl_log(apply_log, INFO, "revision %" PRIu64 ": %u created, %u updated, %u deleted",
	       job->revision.number, job->changes.created, job->changes.updated,
	       job->changes.deleted);
	publish_go(a->publish, on_published, a);
}

/* With number 0: what goes with a request that changes no resource. */
static void commit(struct apply *a, uint64_t number)
{
	struct job *job = a->job;
	const struct apply_request *q = &job->request;
	struct store_revision *r = &job->revision;

	r->number = number;
	r->author = q->author;
	r->source = q->source;
	r->method = q->method;
	r->resource = q->resource;
	r->comment = q->comment;
	r->changes = &job->changes;
	r->settles = q->op == APPLY_CONFIRM || q->op == APPLY_ROLLBACK;
	if (number && q->confirm_s)
		r->pending = (struct store_pending){number, a->ctrl->model->revision,
						    (uint64_t)time(NULL) + q->confirm_s};
	if (job->response) {
		r->request_id = q->request_id;
		r->request_digest = q->request_digest;
		r->response = job->response;
		r->response_len = job->response_len;
	}
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

/* Only a confirmation or going back ends the wait for one. */
static int check_pending(const struct apply *a, struct problem *why)
{
	const struct store_pending *pending = &a->pending;
	const struct apply_request *q = &a->job->request;

	if (q->unconfirmed && q->unconfirmed != pending->revision)
		return problem_set(why, PROBLEM_ABORTED, "it was confirmed in the last moment");

	if (q->op == APPLY_CONFIRM && !pending->revision)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "no revision waits for its confirmation");
	if (q->op == APPLY_CONFIRM && q->revision != pending->revision)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "revision: %" PRIu64 " does not wait for its confirmation, "
				   "%" PRIu64 " does",
				   q->revision, pending->revision);
	if (!pending->revision || q->validate_only || q->op == APPLY_CONFIRM ||
	    q->op == APPLY_ROLLBACK || q->op == APPLY_NOTHING)
		return 0;
	return problem_set(why, PROBLEM_FAILED_PRECONDITION,
			   "revision %" PRIu64 " waits for its confirmation, %" PRIu64
			   " s yet: confirm it or roll back before anything else is changed",
			   pending->revision, left_s(pending));
}

static int check_confirm(const struct apply *a, struct problem *why)
{
	if (!a->job->request.confirm_s || a->ctrl->model->revision)
		return 0;
	return problem_set(why, PROBLEM_FAILED_PRECONDITION,
			   "confirm_timeout: there is no revision yet to go back to");
}

/* Make what a request with an id is answered now and when it comes again. */
static int respond(struct apply *a, uint64_t revision, struct problem *why)
{
	struct job *job = a->job;
	struct apply_result result = result_of(a);

	if (!job->request.request_id || !job->request.respond || job->request.validate_only)
		return 0;
	result.revision = revision;
	if (revision != a->ctrl->model->revision)
		result.confirm_by =
			job->request.confirm_s ? (uint64_t)time(NULL) + job->request.confirm_s : 0;
	job->response = job->request.respond(job->arg, &result, &job->response_len);
	return job->response ? 0 : problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
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

/* No resource changes. What there is to write down yet? */
static void attempt_nothing(struct apply *a)
{
	struct job *job = a->job;
	enum apply_op op = job->request.op;
	bool settles = op == APPLY_CONFIRM || (op == APPLY_ROLLBACK && a->pending.revision);

	if (respond(a, a->ctrl->model->revision, &job->problem) || job->request.validate_only ||
	    (!settles && !job->response))
		answer(a);
	else
		commit(a, 0);
}

static void attempt(struct apply *a)
{
	struct job *job = a->job;
	bool catching_up = job->request.op == APPLY_NOTHING;

	if (check_pending(a, &job->problem) || enter(a, &job->problem)) {
		answer(a);
		return;
	}
	if (!job->changes.n && !catching_up) {
		attempt_nothing(a);
		return;
	}
	job->revision.number = catching_up ? a->ctrl->model->revision : next_revision(a);
	if (check_confirm(a, &job->problem) || compile_job(a, &job->problem) ||
	    job->request.validate_only) {
		answer(a);
	} else if (catching_up) {
		catch_up(a);
	} else if (respond(a, job->revision.number, &job->problem)) {
		answer(a);
	} else {
		change_leave(&job->changes);
		commit(a, job->revision.number);
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

	job_resolve(job, job->apply->ctrl->model, job->apply->store, &job->problem);
}

static void on_resolved(struct background_task *task)
{
	struct apply *a = job_of(task)->apply;

	if (a->job->problem.code || a->job->repeated)
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

void apply_audit(struct apply *a, const struct store_audit *entry)
{
	if (a)
		audit_add(a->audit, entry);
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

	wait_for_confirmation(a);
	tidy(a);
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
	a->publish = publish_new(ctrl->base, ctrl->root, ctrl->commands, ctrl->primary);
	a->store = store;
	a->background = background_new(ctrl->base);
	a->compiler = compiler_new(ctrl->model);
	a->confirm = evtimer_new(ctrl->base, on_confirm_due, a);
	a->tidy.work = work_tidy;
	a->tidy.done = on_tidied;
	if (a->background)
		a->audit = audit_new(a->background, store);
	if (a->kick && a->publish && a->background && a->compiler && a->confirm && a->audit) {
		begin(a);
		return a;
	}
	if (a->kick)
		event_free(a->kick);
	if (a->confirm)
		event_free(a->confirm);
	publish_free(a->publish);
	background_free(a->background);
	audit_free(a->audit);
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
	if (a->job)
		refuse(a->job, a->ctrl->model->revision);
	while ((job = STAILQ_FIRST(&a->queue))) {
		STAILQ_REMOVE_HEAD(&a->queue, link);
		refuse(job, a->ctrl->model->revision);
	}
	event_free(a->kick);
	event_free(a->confirm);
	audit_free(a->audit);
	free(a);
}
