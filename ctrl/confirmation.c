/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/confirmation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sluice/log.h>

#include <event2/event.h>

SL_LOG_TYPE(confirmation_log, "sluice.ctrl.confirmation");

#define ROLLBACK_AGAIN_S 10 /* after one that failed */

struct confirmation {
	struct apply *apply;
	struct store_pending pending; /* as the store has it; that one is the thread's */
	struct event *due;            /* its deadline */
};

static uint64_t left_s(const struct store_pending *pending)
{
	uint64_t now = (uint64_t)time(NULL);

	return pending->deadline > now ? pending->deadline - now : 0;
}

void confirmation_wait(struct confirmation *c, const struct store_pending *pending)
{
	struct timeval left = {0};

	c->pending = *pending;
	left.tv_sec = (time_t)left_s(pending);
	if (pending->revision)
		event_add(c->due, &left);
	else
		event_del(c->due);
}

const struct store_pending *confirmation_pending(const struct confirmation *c)
{
	return &c->pending;
}

static void on_rolled_back(void *arg, const struct apply_result *result)
{
	const struct timeval again = {.tv_sec = ROLLBACK_AGAIN_S};
	struct confirmation *c = arg;

	if (result->problem.code == PROBLEM_ABORTED)
		return;
	if (result->problem.code && result->problem.code != PROBLEM_DEADLINE_EXCEEDED) {
		sl_log(confirmation_log, ERR, "the automatic rollback: %s", result->problem.text);
		event_add(c->due, &again);
	} else {
		sl_log(confirmation_log, NOTICE,
		       "revision %" PRIu64 ": what was not confirmed is undone", result->revision);
	}
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct confirmation *c = arg;
	const struct store_pending *pending = &c->pending;
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
	sl_log(confirmation_log, WARNING, "%s: back to revision %" PRIu64, comment, pending->base);
	if (apply_submit(c->apply, &request, on_rolled_back, c, &why))
		event_add(c->due, &again);
}

int confirmation_check(const struct confirmation *c, const struct apply_request *q,
		       struct problem *why)
{
	const struct store_pending *pending = &c->pending;

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

struct confirmation *confirmation_new(struct event_base *base, struct apply *apply)
{
	struct confirmation *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->apply = apply;
	c->due = evtimer_new(base, on_due, c);
	if (c->due)
		return c;
	free(c);
	return NULL;
}

void confirmation_free(struct confirmation *c)
{
	if (!c)
		return;
	event_free(c->due);
	free(c);
}
