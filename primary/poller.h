/* SPDX-License-Identifier: BSD-3-Clause */
/* The primary's event loop: it sleeps in epoll until something happens. */
#ifndef PRIMARY_POLLER_H
#define PRIMARY_POLLER_H

#include <stdint.h>

struct poller_fd {
	int fd;
	void (*ready)(struct poller_fd *e); /* may remove and free any event */
};

/* 0 or -errno. */
int poller_init(void);
int poller_add(struct poller_fd *e);
void poller_remove(struct poller_fd *e);

/* Wait at most `ms` (-1: for ever) for one event and handle it. */
void poller_wait(int ms);

/* CLOCK_MONOTONIC, milliseconds. */
uint64_t poller_now(void);

#endif
