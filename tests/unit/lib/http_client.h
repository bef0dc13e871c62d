/* SPDX-License-Identifier: BSD-3-Clause */
/* A client of a server that runs on the same thread's event loop: bytes out, bytes in. */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include <stddef.h>

struct event_base;

/* A connected, non-blocking socket. */
int client_connect(const char *path);

/* All of it, the loop running as needed. */
void client_send(struct event_base *base, int fd, const char *bytes, size_t len);

/*
 * What the server sends within wait_ms of the loop running, or until it has sent `until`
 * (NULL: until it closes). A string, static, of at most 64 KiB.
 */
const char *client_receive(struct event_base *base, int fd, const char *until, int wait_ms);

/* Run the loop for a while. */
void client_pass(struct event_base *base, int ms);

#endif
