/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

static int epoll = -1;

int poller_init(void)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	return epoll < 0 ? -errno : 0;
}

int poller_add(struct poller_fd *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = e};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, e->fd, &ev) ? -errno : 0;
}

void poller_remove(struct poller_fd *e)
{
	epoll_ctl(epoll, EPOLL_CTL_DEL, e->fd, NULL);
}

/* One at a time, so that no event can be stale when its turn comes. */
void poller_wait(int ms)
{
	struct epoll_event ev;

	if (epoll_wait(epoll, &ev, 1, ms) == 1) {
		struct poller_fd *e = ev.data.ptr;

		e->ready(e);
	}
}

uint64_t poller_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}
