/* SPDX-License-Identifier: BSD-3-Clause */
/* One request carried out: see the head of apply.h for its steps. */
#ifndef CTRL_TRANSACTION_H
#define CTRL_TRANSACTION_H

#include <sys/queue.h>

#include "ctrl/apply_job.h"
#include "ctrl/audit.h"
#include "ctrl/compile.h"
#include "ctrl/confirmation.h"
#include "ctrl/ctrl.h"
#include "ctrl/publish.h"
#include "ctrl/tidy.h"

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
	struct confirmation *confirmation;
	struct tidy *tidy;
	bool catching_up;             /* the workers don't use the model yet, after a start */
	void (*caught_up)(void *arg); /* NULL: nobody wants to know */
	void *caught_up_arg;
};

/* Carry out apply->job, which is NULL when it is answered. */
void transaction_begin(struct apply *apply);

/* Revision that the workers use; 0: none. */
uint64_t transaction_running(const struct apply *apply);

/* The store has no configuration, but the workers use one. */
bool transaction_store_lost(const struct apply *apply);

#endif
