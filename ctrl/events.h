/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What has happened lately: workers, ports and revisions, found by looking every 100 ms, the last
 * EVENTS_KEPT of it. Readers go at their own pace with a cursor; who is overtaken learns that
 * he lost some. Memory is bounded, whoever reads how slowly.
 */
#ifndef CTRL_EVENTS_H
#define CTRL_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define EVENTS_KEPT 1024 /* a power of two */

struct ctrl;
struct events;

enum event_type {
	EVENT_WORKER,
	EVENT_REVISION,
	EVENT_PORT,
};

/* What is written of a worker. */
struct event_worker {
	uint32_t state; /* enum sl_worker_state */
	int32_t pid;
	uint32_t starts, deaths, takeovers;
	uint32_t drain; /* enum drain_state */
};

struct ctrl_event {
	uint64_t time_ms; /* CLOCK_REALTIME */
	enum event_type type;
	uint32_t id; /* worker, port */
	union {
		struct event_worker worker;
		uint64_t revision;
		bool link_up;
	};
};

/* Told when there are more; until then, and afterwards, it is the reader's. */
struct event_reader {
	LIST_ENTRY(event_reader) link;
	void (*more)(struct event_reader *reader);
	uint64_t next; /* number of the event to be read next */
};

/* ctrl's base, root and model are set. NULL: no memory. */
struct events *events_new(const struct ctrl *ctrl);
void events_free(struct events *events);

/* Numbers go up from 1; `epoch` tells one life of the daemon from another. */
uint64_t events_epoch(const struct events *events);
uint64_t events_next(const struct events *events);

/* From events_next() on, unless the reader sets `next` afterwards. */
void events_read(struct events *events, struct event_reader *reader);
void events_unread(struct event_reader *reader);

/* The reader's next event, which it goes past; NULL: none yet. *lost: some before it were lost. */
const struct ctrl_event *events_take(const struct events *events, struct event_reader *reader,
				     bool *lost);

#endif
