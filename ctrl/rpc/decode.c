/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/decode.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "ctrl/rpc/json.h"
#include "ctrl/rpc/wire.h"

/* "config.virtualServers[3].port"; written when it is needed, which is once. */
static size_t write_path(const struct decode *decode, char *out, size_t size)
{
	size_t n = 0;

	*out = '\0';
	for (unsigned int i = 0; i < decode->depth && i < DECODE_DEPTH_MAX && n < size; i++) {
		const struct decode_step *s = &decode->step[i];

		if (s->name)
			n += (size_t)snprintf(out + n, size - n, "%s%.*s", n ? "." : "",
					      s->len < 64 ? (int)s->len : 64, s->name);
		else
			n += (size_t)snprintf(out + n, size - n, "[%zu]", s->len);
	}
	return n < size ? n : size - 1;
}

bool decode_fail(struct decode *decode, const char *format, ...)
{
	size_t n = write_path(decode, decode->why, DECODE_PATH_MAX);
	va_list args;

	if (n)
		n += (size_t)snprintf(decode->why + n, sizeof(decode->why) - n, ": ");
	va_start(args, format);
	vsnprintf(decode->why + n, sizeof(decode->why) - n, format, args);
	va_end(args);
	return false;
}

void decode_too_large(struct decode *decode)
{
	decode_fail(decode, "the request takes more memory than is set apart for requests");
	decode->too_large = true;
}

void *decode_alloc(struct decode *decode, size_t size)
{
	void *memory = rpc_arena_alloc(decode->arena, size);

	if (!memory)
		decode_too_large(decode);
	return memory;
}

static void enter(struct decode *decode, struct decode_step step)
{
	if (decode->depth < DECODE_DEPTH_MAX)
		decode->step[decode->depth] = step;
	decode->depth++;
}

void decode_enter(struct decode *decode, const char *name, size_t len)
{
	enter(decode, (struct decode_step){.name = name, .len = len});
}

void decode_enter_index(struct decode *decode, size_t index)
{
	enter(decode, (struct decode_step){.len = index});
}

void decode_leave(struct decode *decode, unsigned int depth)
{
	decode->depth = depth;
}

static ProtobufCMessage *proto_decode(struct decode *decode, const ProtobufCMessageDescriptor *type,
				      const void *data, size_t len)
{
	ProtobufCMessage *message;

	if (!wire_check(decode, type, data, len))
		return NULL;
	message = protobuf_c_message_unpack(type, &decode->arena->allocator, len, data);
	if (message)
		return message;
	if (decode->arena->exhausted)
		decode_too_large(decode);
	else
		decode_fail(decode, "not a %s", type->name);
	return NULL;
}

ProtobufCMessage *rpc_decode(struct decode *decode, const ProtobufCMessageDescriptor *type,
			     enum rpc_format format, const void *data, size_t len,
			     struct rpc_arena *arena)
{
	*decode = (struct decode){.arena = arena};
	if (format == RPC_FORMAT_JSON)
		return json_decode(decode, type, data, len);
	return proto_decode(decode, type, data, len);
}

static int proto_encode(const ProtobufCMessage *message, struct evbuffer *out)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	struct evbuffer_iovec room;

	if (size == 0)
		return 0;
	if (evbuffer_reserve_space(out, size, &room, 1) != 1)
		return -ENOMEM;
	room.iov_len = protobuf_c_message_pack(message, room.iov_base);
	return evbuffer_commit_space(out, &room, 1) ? -ENOMEM : 0;
}

int rpc_encode(const ProtobufCMessage *message, enum rpc_format format, struct evbuffer *out)
{
	if (format == RPC_FORMAT_JSON)
		return json_encode(message, out);
	return proto_encode(message, out);
}

/* In binary, messages one after the other are one with the fields of all of them. */
int rpc_encode_part(struct encode_parts *parts, const ProtobufCMessage *part, struct evbuffer *out)
{
	if (parts->format == RPC_FORMAT_JSON)
		return json_encode_part(parts, part, out);
	return proto_encode(part, out);
}

int rpc_encode_parts_end(struct encode_parts *parts, struct evbuffer *out)
{
	return parts->format == RPC_FORMAT_JSON ? json_encode_parts_end(parts, out) : 0;
}
