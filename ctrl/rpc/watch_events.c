/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stream of what happens. A watch is a cursor in the daemon's events (ctrl/events.h): it sends
 * while its client takes, and says when it was overtaken. Its token is "epoch:number" of the last
 * event.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include <sluice/shm.h>

#include "ctrl/drain.h"
#include "ctrl/events.h"
#include "ctrl/rpc/call.h"
#include "ctrl/rpc/services.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "sluice/v1/event.pb-c.h"

#define BOOKMARK_MS     10000
#define BOOKMARK_MIN_MS 1000
#define BOOKMARK_MAX_MS 600000

struct watch {
	struct event_reader reader;
	struct rpc_call *call;
	struct events *events;
	struct event *bookmark;
	bool lost; /* to be said */
};

/* ---- messages ---- */

static Google__Protobuf__Timestamp *time_view(struct rpc_call *call, uint64_t ms)
{
	Google__Protobuf__Timestamp *m =
		rpc_message(call, &google__protobuf__timestamp__descriptor);

	if (m) {
		m->seconds = (int64_t)(ms / 1000);
		m->nanos = (int32_t)(ms % 1000 * 1000000);
	}
	return m;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Everything but what is special to a type. The token is of what went before reader->next. */
static Sluice__V1__Event *event_view(const struct watch *w, Sluice__V1__EventType type,
				     uint64_t time_ms)
{
	Sluice__V1__Event *m = rpc_message(w->call, &sluice__v1__event__descriptor);

	if (!m)
		return NULL;
	m->type = type;
	m->time = time_view(w->call, time_ms);
	m->resume_token = rpc_format(w->call, "%" PRIu64 ":%" PRIu64, events_epoch(w->events),
				     w->reader.next - 1);
	return m;
}

static void set_worker(struct rpc_call *call, Sluice__V1__Event *m, const struct ctrl_event *e)
{
	m->worker = rpc_message(call, &sluice__v1__worker_event__descriptor);
	if (!m->worker)
		return;
	m->worker->id = e->id;
	m->worker->state = (char *)(e->worker.state < SL_WORKER_STATE_MAX
					    ? sl_worker_state_names[e->worker.state]
					    : "");
	m->worker->pid = (uint32_t)e->worker.pid;
	m->worker->starts = e->worker.starts;
	m->worker->deaths = e->worker.deaths;
	m->worker->takeovers = e->worker.takeovers;
	m->worker->drain = (char *)drain_state_names[e->worker.drain];
	m->text = rpc_format(call, "worker %u: %s%s%s, pid %d", e->id, m->worker->state,
			     e->worker.drain ? ", " : "", m->worker->drain, e->worker.pid);
}

static void set_revision(struct rpc_call *call, Sluice__V1__Event *m, const struct ctrl_event *e)
{
	m->revision = rpc_message(call, &sluice__v1__revision_event__descriptor);
	if (m->revision)
		m->revision->revision = e->revision;
	m->text = rpc_format(call, "revision %" PRIu64 " is in use", e->revision);
}

static void set_port(struct rpc_call *call, Sluice__V1__Event *m, const struct ctrl_event *e)
{
	const char *name = rpc_call_ctrl(call)->root->port[e->id].name;

	m->port = rpc_message(call, &sluice__v1__port_event__descriptor);
	if (m->port) {
		m->port->name = (char *)name;
		m->port->link_up = e->link_up;
	}
	m->text = rpc_format(call, "port %s: link %s", name, e->link_up ? "up" : "down");
}

static Sluice__V1__Event *known_event_view(const struct watch *w, const struct ctrl_event *e)
{
	static const struct {
		Sluice__V1__EventType type;
		void (*set)(struct rpc_call *call, Sluice__V1__Event *m,
			    const struct ctrl_event *e);
	} kinds[] = {
		[EVENT_WORKER] = {SLUICE__V1__EVENT_TYPE__EVENT_TYPE_WORKER, set_worker},
		[EVENT_REVISION] = {SLUICE__V1__EVENT_TYPE__EVENT_TYPE_REVISION, set_revision},
		[EVENT_PORT] = {SLUICE__V1__EVENT_TYPE__EVENT_TYPE_PORT, set_port},
	};
	Sluice__V1__Event *m = event_view(w, kinds[e->type].type, e->time_ms);

	if (m)
		kinds[e->type].set(w->call, m, e);
	return m;
}

/* ---- the watch ---- */

static void watch_free(struct watch *w)
{
	events_unread(&w->reader);
	event_free(w->bookmark);
	free(w);
}

/* False: the call has ended, and the watch with it. */
static bool send_event(struct watch *w, Sluice__V1__Event *event)
{
	Sluice__V1__WatchEventsResponse *m =
		rpc_message(w->call, &sluice__v1__watch_events_response__descriptor);

	if (m)
		m->event = event;
	if (rpc_send(w->call, event ? m : NULL))
		return true;
	watch_free(w);
	return false;
}

static bool send_lost(struct watch *w)
{
	Sluice__V1__Event *event;

	w->lost = false;
	event = event_view(w, SLUICE__V1__EVENT_TYPE__EVENT_TYPE_LOST, now_ms());
	if (event)
		event->text = "events before this one are not known any more";
	return send_event(w, event);
}

/* As many as the client takes. */
static void send_events(struct watch *w)
{
	while (rpc_stream_ready(w->call)) {
		const struct ctrl_event *e = events_take(w->events, &w->reader, &w->lost);

		if (w->lost) { /* say so before what comes after it */
			w->reader.next -= e != NULL;
			if (!send_lost(w))
				return;
			continue;
		}
		if (!e || !send_event(w, known_event_view(w, e)))
			return;
	}
}

static void on_more(struct event_reader *reader)
{
	send_events((struct watch *)reader);
}

static void on_ready(struct rpc_call *call, void *arg)
{
	(void)call;
	send_events(arg);
}

static void on_gone(struct rpc_call *call, void *arg)
{
	(void)call;
	watch_free(arg);
}

static void on_bookmark(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	(void)what;
	if (rpc_stream_ready(w->call))
		send_event(w, event_view(w, SLUICE__V1__EVENT_TYPE__EVENT_TYPE_BOOKMARK, now_ms()));
}

/* Where the token says. One of another life of the daemon: all that is known, and what was lost
 * said. */
static bool read_token(struct watch *w, const char *token)
{
	uint64_t epoch, number;
	char again[48];

	if (!*token)
		return true;
	if (sscanf(token, "%" SCNu64 ":%" SCNu64, &epoch, &number) != 2)
		return false;
	snprintf(again, sizeof(again), "%" PRIu64 ":%" PRIu64, epoch, number);
	if (strcmp(token, again))
		return false;
	w->lost = epoch != events_epoch(w->events);
	if (w->lost)
		w->reader.next = 1;
	else if (number < w->reader.next)
		w->reader.next = number + 1;
	else
		return false; /* of the future */
	return true;
}

static void watch_start(struct watch *w, uint32_t bookmark_ms)
{
	const struct timeval every = {bookmark_ms / 1000, bookmark_ms % 1000 * 1000};
	const struct rpc_stream stream = {on_ready, on_gone, w};

	rpc_stream_start(w->call, &stream);
	event_add(w->bookmark, &every);
	if (w->lost && !send_lost(w))
		return;
	/* The first is sent at once, so that the client knows that it is watching, and from where.
	 */
	if (send_event(w, event_view(w, SLUICE__V1__EVENT_TYPE__EVENT_TYPE_BOOKMARK, now_ms())))
		send_events(w);
}

void events_watch(struct rpc_call *call)
{
	const Sluice__V1__WatchEventsRequest *request = (const void *)rpc_call_request(call);
	uint32_t bookmark_ms = request->bookmark_interval_ms ?: BOOKMARK_MS;
	struct watch *w;

	if (bookmark_ms < BOOKMARK_MIN_MS || bookmark_ms > BOOKMARK_MAX_MS) {
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
			 "bookmark_interval_ms: %u is not in %u..%u", bookmark_ms, BOOKMARK_MIN_MS,
			 BOOKMARK_MAX_MS);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w)
		w->bookmark = event_new(rpc_call_ctrl(call)->base, -1, EV_PERSIST, on_bookmark, w);
	if (!w || !w->bookmark) {
		free(w);
		rpc_fail(call, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the watch");
		return;
	}
	w->call = call;
	w->events = rpc_call_ctrl(call)->events;
	w->reader.more = on_more;
	events_read(w->events, &w->reader);
	if (read_token(w, request->resume_token)) {
		watch_start(w, bookmark_ms);
		return;
	}
	watch_free(w);
	rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "resume_token: not one of this API");
}
