/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/events.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include <sluice/shm.h>

#include "ctrl/ctrl.h"
#include "ctrl/drain.h"
#include "ctrl/model.h"

#define LOOK_MS 100

struct events {
	const struct ctrl *ctrl;
	struct ctrl_event *kept; /* [EVENTS_KEPT], by number */
	uint64_t epoch;
	uint64_t next;
	LIST_HEAD(, event_reader) readers;
	struct event *tick;
	/* As it was when it was looked at last. */
	struct event_worker worker[SL_MAX_WORKERS];
	bool link_up[SL_MAX_PORTS];
	uint64_t revision;
};

static uint64_t real_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void add(struct events *events, struct ctrl_event e)
{
	e.time_ms = real_ms();
	events->kept[events->next++ % EVENTS_KEPT] = e;
}

static struct event_worker worker_now(const struct sl_root *root, uint32_t worker)
{
	const struct sl_worker_slot *slot = root->worker[worker];

	return (struct event_worker){
		.state = __atomic_load_n(&slot->supervisor.state, __ATOMIC_ACQUIRE),
		.pid = slot->supervisor.pid,
		.starts = slot->supervisor.starts,
		.deaths = slot->supervisor.deaths,
		.takeovers = slot->supervisor.takeovers,
		.drain = drain_state_of(root, worker),
	};
}

static void look_at_workers(struct events *events)
{
	const struct sl_root *root = events->ctrl->root;

	for (uint32_t w = 0; w < root->n_workers; w++) {
		struct event_worker now = worker_now(root, w);

		if (!memcmp(&now, &events->worker[w], sizeof(now)))
			continue;
		events->worker[w] = now;
		add(events, (struct ctrl_event){.type = EVENT_WORKER, .id = w, .worker = now});
	}
}

static void look_at_ports(struct events *events)
{
	const struct sl_root *root = events->ctrl->root;

	for (uint32_t p = 0; p < root->n_ports; p++) {
		bool up = __atomic_load_n(&root->port[p].link_up, __ATOMIC_RELAXED) != 0;

		if (up == events->link_up[p])
			continue;
		events->link_up[p] = up;
		add(events, (struct ctrl_event){.type = EVENT_PORT, .id = p, .link_up = up});
	}
}

/* Revisions follow each other without gaps. */
static void look_at_revision(struct events *events)
{
	uint64_t now = events->ctrl->model->revision;

	if (now - events->revision > EVENTS_KEPT)
		events->revision = now - EVENTS_KEPT;
	while (events->revision < now)
		add(events,
		    (struct ctrl_event){.type = EVENT_REVISION, .revision = ++events->revision});
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct events *events = arg;
	struct event_reader *reader, *next;
	uint64_t before = events->next;

	(void)fd;
	(void)what;
	look_at_workers(events);
	look_at_ports(events);
	look_at_revision(events);
	if (events->next == before)
		return;
	for (reader = LIST_FIRST(&events->readers); reader; reader = next) {
		next = LIST_NEXT(reader, link); /* a reader may leave when it is told */
		reader->more(reader);
	}
}

struct events *events_new(const struct ctrl *ctrl)
{
	const struct timeval look = {0, LOOK_MS * 1000};
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return NULL;
	events->ctrl = ctrl;
	events->epoch = real_ms();
	events->next = 1;
	LIST_INIT(&events->readers);
	for (uint32_t w = 0; w < ctrl->root->n_workers; w++)
		events->worker[w] = worker_now(ctrl->root, w);
	for (uint32_t p = 0; p < ctrl->root->n_ports; p++)
		events->link_up[p] = ctrl->root->port[p].link_up != 0;
	events->revision = ctrl->model->revision;
	events->kept = calloc(EVENTS_KEPT, sizeof(*events->kept));
	events->tick = event_new(ctrl->base, -1, EV_PERSIST, on_tick, events);
	if (events->kept && events->tick && !event_add(events->tick, &look))
		return events;
	events_free(events);
	return NULL;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	if (events->tick)
		event_free(events->tick);
	free(events->kept);
	free(events);
}

uint64_t events_epoch(const struct events *events)
{
	return events->epoch;
}

uint64_t events_next(const struct events *events)
{
	return events->next;
}

void events_read(struct events *events, struct event_reader *reader)
{
	reader->next = events->next;
	LIST_INSERT_HEAD(&events->readers, reader, link);
}

void events_unread(struct event_reader *reader)
{
	LIST_REMOVE(reader, link);
}

const struct ctrl_event *events_take(const struct events *events, struct event_reader *reader,
				     bool *lost)
{
	uint64_t oldest = events->next > EVENTS_KEPT ? events->next - EVENTS_KEPT : 1;

	*lost = reader->next < oldest;
	if (*lost)
		reader->next = oldest;
	return reader->next < events->next ? &events->kept[reader->next++ % EVENTS_KEPT] : NULL;
}
