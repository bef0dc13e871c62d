/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What HTTP/1.1 puts before and around a request's body (RFC 9112). Pure functions on bytes;
 * strict where leniency has led servers to disagree about where a request ends: no
 * folded lines, no space before a colon, one Content-Length and never beside Transfer-Encoding.
 */
#ifndef CTRL_RPC_HTTP_PARSE_H
#define CTRL_RPC_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX    16384 /* bytes of request line and header fields */
#define HTTP_HEADERS_MAX 64

struct http_header {
	const char *name;
	const char *value; /* without the spaces around it */
};

struct http_head {
	const char *method;
	const char *target;
	unsigned int minor; /* HTTP/1.minor */
	unsigned int n_headers;
	struct http_header header[HTTP_HEADERS_MAX];

	/* From the fields: */
	bool chunked;
	bool keep_alive;
	bool expect_continue;
	uint64_t content_length;
};

/*
 * Parse a head in place (the text is cut into strings): everything up to and with the empty
 * line, NUL terminated. 0, or the HTTP status of the refusal with *why.
 */
int http_head_parse(struct http_head *head, char *text, size_t len, const char **why);

/* First field of that name; NULL when there is none. Names in any case. */
const char *http_head_field(const struct http_head *head, const char *name);

/* A body in chunks, as it arrives. Zero it to begin. */
struct http_chunked {
	enum {
		HTTP_CHUNK_SIZE,    /* size line */
		HTTP_CHUNK_DATA,    /* left bytes to come */
		HTTP_CHUNK_END,     /* CRLF after them */
		HTTP_CHUNK_TRAILER, /* fields after the last chunk, ignored, and an empty line */
		HTTP_CHUNK_DONE,
	} state;
	uint64_t left;
	unsigned int trailer_lines;
};

struct evbuffer;

/* Move what has arrived from `in` to `body`. 0 (more to come unless DONE), or -EBADMSG. */
int http_chunked_read(struct http_chunked *c, struct evbuffer *in, struct evbuffer *body);

#endif
