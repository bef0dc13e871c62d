/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The wait for a revision's confirmation. It is kept in the store with its deadline, so that a
 * killed daemon goes on waiting when it is back, or rolls back at once when it is too late. Until
 * then nothing else may change: going back would undo it. The rollback is a request as any other.
 */
#ifndef CTRL_CONFIRMATION_H
#define CTRL_CONFIRMATION_H

#include "ctrl/apply.h"
#include "ctrl/store.h"

struct confirmation;
struct event_base;

/* NULL with errno. */
struct confirmation *confirmation_new(struct event_base *base, struct apply *apply);
void confirmation_free(struct confirmation *confirmation);

/* Wait for this one, or, when its revision is 0, for none. */
void confirmation_wait(struct confirmation *confirmation, const struct store_pending *pending);

/* What is waited for; revision 0: nothing. */
const struct store_pending *confirmation_pending(const struct confirmation *confirmation);

/* May the request be carried out now? Only a confirmation or going back ends the wait for one. */
int confirmation_check(const struct confirmation *confirmation, const struct apply_request *request,
		       struct problem *why);

#endif
