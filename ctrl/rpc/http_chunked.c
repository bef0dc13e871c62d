/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/http_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#define LINE_MAX_BYTES 256 /* size with extensions, or a trailer field */
#define TRAILER_LINES  16

/* 1 and a line without its CRLF, 0 when it is not complete yet, -EBADMSG. */
static int read_line(struct evbuffer *in, char *line, size_t size)
{
	size_t eol_len;
	struct evbuffer_ptr eol = evbuffer_search_eol(in, NULL, &eol_len, EVBUFFER_EOL_CRLF_STRICT);

	if (eol.pos < 0)
		return evbuffer_get_length(in) < size ? 0 : -EBADMSG;
	if ((size_t)eol.pos >= size)
		return -EBADMSG;
	evbuffer_remove(in, line, eol.pos);
	line[eol.pos] = '\0';
	evbuffer_drain(in, eol_len);
	return 1;
}

/* Hexadecimal digits, then nothing or an extension, which is ignored. */
static int parse_size(struct http_chunked *c, const char *line)
{
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	if (digits == 0 || digits > 15 || (line[digits] && !strchr("; \t", line[digits])))
		return -EBADMSG;
	c->left = strtoull(line, NULL, 16);
	c->state = c->left ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILER;
	return 0;
}

static int use_line(struct http_chunked *c, const char *line)
{
	switch (c->state) {
	case HTTP_CHUNK_SIZE: return parse_size(c, line);
	case HTTP_CHUNK_END: c->state = HTTP_CHUNK_SIZE; return *line ? -EBADMSG : 0;
	default:
		if (!*line)
			c->state = HTTP_CHUNK_DONE;
		return ++c->trailer_lines > TRAILER_LINES ? -EBADMSG : 0;
	}
}

static void move_data(struct http_chunked *c, struct evbuffer *in, struct evbuffer *body)
{
	size_t n = evbuffer_get_length(in);

	if (n > c->left)
		n = c->left;
	evbuffer_remove_buffer(in, body, n);
	c->left -= n;
	if (c->left == 0)
		c->state = HTTP_CHUNK_END;
}

int http_chunked_read(struct http_chunked *c, struct evbuffer *in, struct evbuffer *body)
{
	char line[LINE_MAX_BYTES];

	while (c->state != HTTP_CHUNK_DONE && evbuffer_get_length(in)) {
		int rc;

		if (c->state == HTTP_CHUNK_DATA) {
			move_data(c, in, body);
			continue;
		}
		rc = read_line(in, line, sizeof(line));
		if (rc > 0)
			rc = use_line(c, line) ?: 1;
		if (rc <= 0)
			return rc;
	}
	return 0;
}
