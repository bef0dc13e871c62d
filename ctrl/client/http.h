/* SPDX-License-Identifier: BSD-3-Clause */
/* One HTTP/1.1 POST over a unix socket, by libcurl. */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* The greatest answer taken. */
#define HTTP_ANSWER_MAX ((size_t)64 << 20)

struct http_answer {
	long status;
	char *body; /* free(); NULL when it is empty */
	size_t body_len;
};

/*
 * POST `body` as JSON. 0, or -errno: of connect(2), -ETIMEDOUT, -EMSGSIZE (the answer is too big),
 * -EPROTO (it isn't HTTP), -ECONNRESET (gone in the middle). The body is the caller's either way.
 */
int http_post(const char *socket_path, const char *url_path, const char *body,
	      unsigned int timeout_ms, struct http_answer *answer);

/* Takes each piece of a body as it comes; false ends the transfer, well. */
typedef bool (*http_take_fn)(void *context, const char *piece, size_t len);

/*
 * POST a Connect stream's request, and hand on what comes until it ends. 0, or -errno as above;
 * *status is 0 before there is one.
 */
int http_stream(const char *socket_path, const char *url_path, const void *body, size_t body_len,
		long *status, http_take_fn take, void *context);

#endif
