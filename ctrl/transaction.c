/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transaction. Its steps, each of which ends in answer() or leads to the next; those marked *
 * end on another turn of the event loop, + on the thread, for what takes as long as the request is
 * large or the disk is slow:
 *
 *   begin -> resolve+ -> prepare* -> attempt -> commit+ -> publish* -> answer
 *
 * Nobody but the job under way changes the model, so the thread may read it in `resolve`.
 *
 * A store without revisions while the workers use one means that the database was lost: it
 * was damaged and set aside, or somebody removed it. Forwarding goes on with what is in shared
 * memory. A single change would then replace the running configuration by nearly
 * nothing, so only a whole configuration is accepted, which the operator has to apply (a
 * former file or a backup). A restart of the whole appliance ends that state too.
 *
 * A revision that waits for its confirmation: confirmation.h.
 */
#include "ctrl/transaction.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include <event2/event.h>

#include "ctrl/background.h"
#include "ctrl/change.h"
#include "ctrl/steps.h"

SL_LOG_TYPE(transaction_log, "sluice.ctrl.transaction");

#define LARGE_REQUEST (64 * 1024) /* bytes */
#define LARGE_CHANGE  1000        /* resources */

static void on_thread(struct apply *a, void (*work)(struct background_task *),
		      void (*done)(struct background_task *))
{
	a->job->task.large =
		a->job->packed_len >= LARGE_REQUEST || a->job->changes.n >= LARGE_CHANGE;
	a->job->task.work = work;
	a->job->task.done = done;
	background_run(a->background, &a->job->task);
}

/* ---- the end ---- */

static struct apply_result result_of(const struct apply *a)
{
	const struct job *job = a->job;
	const struct store_pending *pending = confirmation_pending(a->confirmation);
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
		tidy_begin(a->tidy);
	a->job = NULL;
	job_free(job);
	event_active(a->kick, EV_TIMEOUT, 0);
}

static void on_published(void *arg, const struct problem *problem)
{
	struct apply *a = arg;

	steps_end(STEP_PUBLISH);
	a->job->problem = *problem;
	answer(a);
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

	steps_end(STEP_COMMIT);
	if (job->problem.code) {
		sl_log(transaction_log, ERR, "revision %" PRIu64 ": not stored: %s",
		       job->revision.number, job->problem.text);
		answer(a);
		return;
	}
	job->committed = true;
	confirmation_wait(a->confirmation, store_pending(a->store));
	if (!job->revision.number) {
		answer(a);
		return;
	}
	/* It was entered before, so only memory can be missing. The store knows better than we. */
	if (change_enter(&job->changes, &why)) {
		sl_log(transaction_log, ERR, "revision %" PRIu64 ": stored, but %s",
		       job->revision.number, why.text);
		abort();
	}
	compile_keep(a->compiler);
	change_settle(&job->changes, job->revision.number);
	sl_log(transaction_log, INFO, "revision %" PRIu64 ": %u created, %u updated, %u deleted",
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

uint64_t transaction_running(const struct apply *a)
{
	const struct sl_snapshot *now = publish_current(a->publish);

	return now ? now->revision : 0;
}

bool transaction_store_lost(const struct apply *a)
{
	return a->ctrl->model->revision == 0 && transaction_running(a) != 0;
}

static uint64_t next_revision(const struct apply *a)
{
	uint64_t stored = a->ctrl->model->revision, running = transaction_running(a);

	return (stored > running ? stored : running) + 1;
}

static int enter(struct apply *a, struct problem *why)
{
	struct job *job = a->job;

	if (transaction_store_lost(a) && job->changes.n && job->request.op != APPLY_CONFIG)
		return problem_set(why, PROBLEM_FAILED_PRECONDITION,
				   "the configuration database is new while the workers use "
				   "revision %" PRIu64
				   ", which is lost on disk: only a whole configuration can be "
				   "applied, which replaces what is running",
				   transaction_running(a));
	return change_enter(&job->changes, why);
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
	int rc;
	struct compile_target target = {
		.room = a->ctrl->root->arena.half_size,
		.revision = a->job->revision.number,
		.previous = publish_current(a->publish),
	};

	target.out = publish_half(a->publish, &target.generation);
	rc = compile(a->compiler, &target, why);
	steps_end(STEP_COMPILE);
	return rc;
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
	sl_log(transaction_log, NOTICE,
	       "revision %" PRIu64 ": published, the workers used %" PRIu64,
	       a->ctrl->model->revision, transaction_running(a));
	publish_go(a->publish, on_published, a);
}

/* No resource changes. What there is to write down yet? */
static void attempt_nothing(struct apply *a)
{
	struct job *job = a->job;
	enum apply_op op = job->request.op;
	bool settles = op == APPLY_CONFIRM ||
		       (op == APPLY_ROLLBACK && confirmation_pending(a->confirmation)->revision);

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

	if (confirmation_check(a->confirmation, &job->request, &job->problem) ||
	    enter(a, &job->problem)) {
		answer(a);
		return;
	}
	steps_end(STEP_ENTER);
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

	steps_end(STEP_PREPARE);
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

	steps_end(STEP_RESOLVE);
	if (a->job->problem.code || a->job->repeated)
		answer(a);
	else
		publish_prepare(a->publish, on_prepared, a);
}

void transaction_begin(struct apply *a)
{
	steps_begin();
	on_thread(a, work_resolve, on_resolved);
}
