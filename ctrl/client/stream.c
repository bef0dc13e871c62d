/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams of the Connect protocol (connectrpc.com/docs/protocol): messages in envelopes of a byte
 * of flags and four of length, the last with flag 2 and the error, if there is one.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/http.h"
#include "ctrl/client/rpc.h"

#define ENVELOPE   5
#define COMPRESSED 1
#define END        2

struct stream {
	rpc_message_fn take;
	void *context;
	char *buffer; /* what has come of the next envelope */
	size_t len;
	json_t *end; /* the last envelope's */
	bool enough; /* the receiver said so */
	int err;     /* -errno: it is not what the protocol says */
	long status;
};

static uint32_t length_of(const char *envelope)
{
	const uint8_t *b = (const uint8_t *)envelope + 1;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* One whole envelope; false: no more of them. */
static bool take_envelope(struct stream *s, const char *envelope, size_t len)
{
	json_t *message = json_loadb(envelope + ENVELOPE, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(message) || envelope[0] & COMPRESSED) {
		json_decref(message);
		s->err = -EPROTO;
		return false;
	}
	if (envelope[0] & END) {
		s->end = message;
		return false;
	}
	s->enough = !s->take(s->context, message);
	return !s->enough;
}

/* All that are whole in the buffer. */
static bool take_envelopes(struct stream *s)
{
	size_t done = 0;
	bool more = true;

	while (more && s->len - done >= ENVELOPE) {
		size_t len = length_of(s->buffer + done);

		if (len > HTTP_ANSWER_MAX) {
			s->err = -EMSGSIZE;
			return false;
		}
		if (s->len - done < ENVELOPE + len)
			break;
		more = take_envelope(s, s->buffer + done, len);
		done += ENVELOPE + len;
	}
	s->len -= done;
	memmove(s->buffer, s->buffer + done, s->len);
	return more;
}

/* An answer that is not 200 is kept, for its error. */
static bool take_piece(void *context, const char *piece, size_t len)
{
	struct stream *s = context;
	char *more = NULL;

	if (s->len + len <= HTTP_ANSWER_MAX + ENVELOPE)
		more = realloc(s->buffer, s->len + len);
	if (!more) {
		s->err = -EMSGSIZE;
		return false;
	}
	s->buffer = more;
	memcpy(s->buffer + s->len, piece, len);
	s->len += len;
	return s->status != 200 || take_envelopes(s);
}

/* The request, in an envelope; to be freed. */
static char *wrap(json_t *request, size_t *len)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t text_len = text ? strlen(text) : 0;
	char *body = text ? malloc(ENVELOPE + text_len) : NULL;

	*len = ENVELOPE + text_len;
	if (body) {
		body[0] = 0;
		for (int i = 0; i < 4; i++)
			body[1 + i] = (char)(text_len >> (24 - 8 * i));
		memcpy(body + ENVELOPE, text, text_len);
	}
	free(text);
	return body;
}

/* How it ended. */
static int judge(struct stream *s, const struct client *client, int err, struct rpc_failure *why)
{
	if (s->err)
		return rpc_fail_transport(why, client, s->err);
	if (err < 0)
		return rpc_fail_transport(why, client, err);
	if (s->status != 200)
		return rpc_fail_answer(why, client, s->status, s->buffer, s->len);
	if (!s->end && !s->enough)
		return rpc_fail_transport(why, client, -ECONNRESET);
	return rpc_fail_error(why, json_object_get(s->end, "error"));
}

int rpc_stream(const struct client *client, const char *service, const char *method,
	       json_t *request, rpc_message_fn take, void *context, struct rpc_failure *why)
{
	struct stream stream = {.take = take, .context = context};
	char path[128], *body;
	size_t len;
	int err, result;

	memset(why, 0, sizeof(*why));
	body = wrap(request, &len);
	json_decref(request);
	if (!body) {
		snprintf(why->message, sizeof(why->message), "an argument is not UTF-8");
		return CLIENT_USAGE;
	}
	snprintf(path, sizeof(path), "/" RPC_PACKAGE ".%s/%s", service, method);
	err = http_stream(client->socket, path, body, len, &stream.status, take_piece, &stream);
	result = judge(&stream, client, err, why);
	json_decref(stream.end);
	free(stream.buffer);
	free(body);
	return result;
}
