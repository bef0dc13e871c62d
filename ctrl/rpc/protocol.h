/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A protocol of calls over HTTP: how a request says what it wants, how messages and the end of an
 * answer are written. connect.c has two, grpc.c one; serve.c does what they have in common.
 */
#ifndef CTRL_RPC_PROTOCOL_H
#define CTRL_RPC_PROTOCOL_H

#include "ctrl/problem.h"
#include "ctrl/rpc/decode.h"
#include "ctrl/rpc/http.h"

struct protocol {
	const char *proto_type, *json_type; /* media types */
	bool enveloped;                     /* each message has flags and a length in front */
	bool http2;                         /* over nothing else */

	/*
	 * Look at the request's header. *timeout_ms is 0 when it names no time. PROBLEM_NONE, or
	 * what is wrong with a sentence in *why.
	 */
	enum problem_code (*check)(struct http_exchange *x, uint32_t *timeout_ms, const char **why);

	/* A message of the answer. False: no memory. */
	bool (*message)(struct http_exchange *x, enum rpc_format format,
			const ProtobufCMessage *message);

	/*
	 * Of an answer in parts: bytes of the only message, `ended`: the last. Takes of them what
	 * can leave. False: no memory. NULL: no method has such an answer in this protocol.
	 */
	bool (*part)(struct http_exchange *x, enum rpc_format format, struct evbuffer *bytes,
		     bool ended);

	/* The end; after it the exchange is not ours any more. */
	void (*end)(struct http_exchange *x, enum rpc_format format, enum problem_code code,
		    const char *text);
};

extern const struct protocol protocol_connect;
extern const struct protocol protocol_connect_stream;
extern const struct protocol protocol_grpc;

/* Flags and length in front of a message, or of the end of a Connect stream. */
#define ENVELOPE_SIZE       5
#define ENVELOPE_COMPRESSED 0x01
#define ENVELOPE_END        0x02 /* Connect */

/* Append the message in an envelope. 0 or -ENOMEM. */
int envelope_add(struct evbuffer *out, uint8_t flags, struct evbuffer *payload);
int envelope_add_message(struct evbuffer *out, enum rpc_format format,
			 const ProtobufCMessage *message);

/* An error for those who speak no protocol of calls: JSON with that HTTP status. */
void protocol_refuse(struct http_exchange *x, int status, enum problem_code code, const char *text);

#endif
