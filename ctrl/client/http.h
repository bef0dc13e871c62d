/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One HTTP/1.1 POST over a unix socket, blocking, with a deadline for the whole of it.
 *
 * Not evhttp's client: in libevent 2.1 that cannot connect to a unix socket, and an event loop
 * for one request and one answer hides the deadline instead of making it simple. Ours reads
 * what the daemon sends, an answer with a Content-Length; others are refused.
 */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include <stddef.h>

/* The greatest answer taken: 64 MiB. */
#define HTTP_ANSWER_MAX ((size_t)64 << 20)

struct http_answer {
	int status;
	char *body; /* NUL after body_len; free() */
	size_t body_len;
};

/*
 * POST `body` as JSON. 0, or -errno: of connect(2), -ETIMEDOUT, -EMSGSIZE (answer too big),
 * -EPROTO (not an HTTP answer that we know), -ECONNRESET (gone in the middle).
 */
int http_post(const char *socket_path, const char *url_path, const char *body,
	      unsigned int timeout_ms, struct http_answer *answer);

#endif
