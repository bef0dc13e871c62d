/* SPDX-License-Identifier: BSD-3-Clause */
/* One HTTP/1.1 POST over a unix socket, by libcurl. */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

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

#endif
