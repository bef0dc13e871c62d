/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/slices.h"

#include <stdlib.h>

#include <event2/event.h>

TAILQ_HEAD(waiting, slice);

struct slices {
	struct event *turn;
	struct waiting waiting;
};

/* A timer that is due at once runs in the next turn: after sockets have been looked at. */
static void next_turn(struct slices *slices)
{
	static const struct timeval at_once = {0, 0};

	if (!TAILQ_EMPTY(&slices->waiting) && !evtimer_pending(slices->turn, NULL))
		evtimer_add(slices->turn, &at_once);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct slices *slices = arg;
	struct slice *slice = TAILQ_FIRST(&slices->waiting);

	(void)fd;
	(void)what;
	if (!slice)
		return;
	slices_remove(slices, slice);
	slice->run(slice);
	next_turn(slices);
}

struct slices *slices_new(struct event_base *base)
{
	struct slices *slices = calloc(1, sizeof(*slices));

	if (!slices)
		return NULL;
	TAILQ_INIT(&slices->waiting);
	slices->turn = evtimer_new(base, on_turn, slices);
	if (slices->turn)
		return slices;
	free(slices);
	return NULL;
}

void slices_free(struct slices *slices)
{
	struct slice *slice;

	if (!slices)
		return;
	while ((slice = TAILQ_FIRST(&slices->waiting)))
		slices_remove(slices, slice);
	event_free(slices->turn);
	free(slices);
}

void slices_add(struct slices *slices, struct slice *slice)
{
	if (slice->waiting)
		return;
	slice->waiting = true;
	TAILQ_INSERT_TAIL(&slices->waiting, slice, link);
	next_turn(slices);
}

void slices_remove(struct slices *slices, struct slice *slice)
{
	if (!slice->waiting)
		return;
	slice->waiting = false;
	TAILQ_REMOVE(&slices->waiting, slice, link);
}
