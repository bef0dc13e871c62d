/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue before the transaction (see the head of apply.h), and the life of both. */
#include "ctrl/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <sluice/log.h>

#include <event2/event.h>

#include "ctrl/background.h"
#include "ctrl/transaction.h"

SL_LOG_TYPE(apply_log, "sluice.ctrl.apply");

/* Bounds on what waits. */
#define QUEUE_MAX       64
#define QUEUE_MAX_BYTES (64u << 20)

static void kick(struct apply *a)
{
	event_active(a->kick, EV_TIMEOUT, 0);
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
	transaction_begin(a);
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
	struct apply *a = arg;

	if (result->problem.code)
		sl_log(apply_log, ERR,
		       "revision %" PRIu64 ": is stored, but the workers don't use it: %s: %s",
		       result->revision, problem_code_name(result->problem.code),
		       result->problem.text);
	a->catching_up = false;
	if (a->caught_up)
		a->caught_up(a->caught_up_arg);
}

/* A stored configuration may not fit a changed boot configuration: then it is said, and stays. */
static void begin(struct apply *a)
{
	const struct apply_request nothing = {.op = APPLY_NOTHING};
	struct problem why;

	confirmation_wait(a->confirmation, store_pending(a->store));
	tidy_begin(a->tidy);
	if (transaction_store_lost(a)) {
		sl_log(apply_log, ERR,
		       "the database has no configuration, but the workers use revision %" PRIu64
		       ": they keep it; apply a whole configuration to replace it",
		       transaction_running(a));
	} else if (a->ctrl->model->revision) {
		a->catching_up = !apply_submit(a, &nothing, on_caught_up, a, &why);
		if (!a->catching_up)
			sl_log(apply_log, ERR, "%s", why.text);
	}
}

void apply_when_caught_up(struct apply *a, void (*then)(void *arg), void *arg)
{
	a->caught_up = then;
	a->caught_up_arg = arg;
	if (!a->catching_up)
		then(arg);
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
	a->confirmation = confirmation_new(ctrl->base, a);
	if (a->background) {
		a->audit = audit_new(a->background, store);
		a->tidy = tidy_new(a->background, store);
	}
	if (a->kick && a->publish && a->background && a->compiler && a->confirmation && a->audit &&
	    a->tidy) {
		begin(a);
		return a;
	}
	if (a->kick)
		event_free(a->kick);
	confirmation_free(a->confirmation);
	publish_free(a->publish);
	background_free(a->background);
	audit_free(a->audit);
	tidy_free(a->tidy);
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
	a->caught_up = NULL;
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
	confirmation_free(a->confirmation);
	audit_free(a->audit);
	tidy_free(a->tidy);
	free(a);
}
