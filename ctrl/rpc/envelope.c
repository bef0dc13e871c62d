/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <endian.h>
#include <string.h>

#include <event2/buffer.h>

#include "ctrl/rpc/protocol.h"

int envelope_add(struct evbuffer *out, uint8_t flags, struct evbuffer *payload)
{
	uint32_t length = htobe32((uint32_t)evbuffer_get_length(payload));
	uint8_t head[ENVELOPE_SIZE] = {flags};

	memcpy(head + 1, &length, sizeof(length));
	if (evbuffer_add(out, head, sizeof(head)) || evbuffer_add_buffer(out, payload))
		return -ENOMEM;
	return 0;
}

int envelope_add_message(struct evbuffer *out, enum rpc_format format,
			 const ProtobufCMessage *message)
{
	struct evbuffer *payload = evbuffer_new();
	int rc = -ENOMEM;

	if (payload && !rpc_encode(message, format, payload))
		rc = envelope_add(out, 0, payload);
	if (payload)
		evbuffer_free(payload);
	return rc;
}
