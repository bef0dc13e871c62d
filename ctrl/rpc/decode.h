/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes of a request to a message, and of a message to a response. Pure: no state but
 * the arena, so that the decoders can be tested and fuzzed by themselves.
 *
 * Both formats are read more strictly than protobuf asks, because a field that is
 * skipped in a configuration is an outage: an unknown field, a field given twice and a number
 * that its field can't hold are errors in binary as in JSON. The message decoded owns nothing
 * outside the arena and is not to be freed with protobuf_c_message_free_unpacked().
 */
#ifndef CTRL_RPC_DECODE_H
#define CTRL_RPC_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "ctrl/rpc/arena.h"

struct evbuffer;

enum rpc_format { RPC_FORMAT_PROTO, RPC_FORMAT_JSON };

#define DECODE_DEPTH_MAX 24  /* of a path: fields, and indexes in them */
#define DECODE_PATH_MAX  192 /* bytes of one as text, which is cut there */

/* To a field, or, without a name, to the element `len` of one. */
struct decode_step {
	const char *name; /* where it stands, without a NUL */
	size_t len;
};

/* What is being decoded, how far, and what was wrong. */
struct decode {
	struct rpc_arena *arena;
	struct decode_step step[DECODE_DEPTH_MAX];
	unsigned int depth; /* steps */
	char why[448];      /* sentence with the path in front; valid after a failure */
	bool too_large;     /* the failure: a limit on memory, not the bytes */
};

/* NULL: see decode->why. `decode` needs no preparation. */
ProtobufCMessage *rpc_decode(struct decode *decode, const ProtobufCMessageDescriptor *type,
			     enum rpc_format format, const void *data, size_t len,
			     struct rpc_arena *arena);

/* Append to `out`. 0 or -ENOMEM. */
int rpc_encode(const ProtobufCMessage *message, enum rpc_format format, struct evbuffer *out);

/* A message that is written part by part. Zeros at first. */
struct encode_parts {
	enum rpc_format format;
	bool begun;
	const ProtobufCFieldDescriptor *open; /* JSON: the list that may go on */
};

/*
 * Append a part, whose fields come after those before it but for the one that goes on; then the
 * end. 0 or -ENOMEM.
 */
int rpc_encode_part(struct encode_parts *parts, const ProtobufCMessage *part, struct evbuffer *out);
int rpc_encode_parts_end(struct encode_parts *parts, struct evbuffer *out);

/* For the decoders: say what is wrong at the current path. Returns false. */
bool decode_fail(struct decode *decode, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For the decoders: say that the arena is exhausted. */
void decode_too_large(struct decode *decode);

/* For the decoders: zeroed memory from the arena; NULL with the failure said. */
void *decode_alloc(struct decode *decode, size_t size);

/* For the decoders: go down to a field (or an element of one), and back to a depth. */
void decode_enter(struct decode *decode, const char *name, size_t len);
void decode_enter_index(struct decode *decode, size_t index);
void decode_leave(struct decode *decode, unsigned int depth);

#endif
