/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/decode.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "ctrl/rpc/json.h"
#include "ctrl/rpc/wire.h"

bool decode_fail(struct decode *decode, const char *format, ...)
{
	int n = 0;
	va_list args;

	if (decode->path_len)
		n = snprintf(decode->why, sizeof(decode->why), "%s: ", decode->path);
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

/* Schemas are shallow and names short, so a path that does not fit is merely cut. */
static size_t path_append(struct decode *decode, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static size_t path_append(struct decode *decode, const char *format, ...)
{
	size_t mark = decode->path_len, room = sizeof(decode->path) - mark;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(decode->path + mark, room, format, args);
	va_end(args);
	decode->path_len += (size_t)n < room ? (size_t)n : room - 1;
	return mark;
}

size_t decode_enter(struct decode *decode, const char *name)
{
	return path_append(decode, decode->path_len ? ".%s" : "%s", name);
}

size_t decode_enter_index(struct decode *decode, size_t index)
{
	return path_append(decode, "[%zu]", index);
}

void decode_leave(struct decode *decode, size_t mark)
{
	decode->path_len = mark;
	decode->path[mark] = '\0';
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
