/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/event.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

static int epoll = -1;

int event_init(void)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	return epoll < 0 ? -errno : 0;
}

int event_add(struct event *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = e};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, e->fd, &ev) ? -errno : 0;
}

void event_remove(struct event *e)
{
	epoll_ctl(epoll, EPOLL_CTL_DEL, e->fd, NULL);
}

/* One at a time, so that no event can be stale when its turn comes. */
void event_wait(int ms)
{
	struct epoll_event ev;

	if (epoll_wait(epoll, &ev, 1, ms) == 1) {
		struct event *e = ev.data.ptr;

		e->ready(e);
	}
}

uint64_t event_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}
