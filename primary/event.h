/* SPDX-License-Identifier: BSD-3-Clause */
/* The primary's event loop: it sleeps in epoll until something happens. */
#ifndef PRIMARY_EVENT_H
#define PRIMARY_EVENT_H

#include <stdint.h>

struct event {
	int fd;
	void (*ready)(struct event *e); /* may remove and free any event */
};

/* 0 or -errno. */
int event_init(void);
int event_add(struct event *e);
void event_remove(struct event *e);

/* Wait at most `ms` (-1: for ever) for one event and handle it. */
void event_wait(int ms);

/* CLOCK_MONOTONIC, milliseconds. */
uint64_t event_now(void);

#endif
