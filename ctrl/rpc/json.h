/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The JSON mapping of proto3 (protobuf.dev, "ProtoJSON format"), by reflection.
 *
 * Read: a field by its lowerCamelCase name or the .proto's; null is absent; an enum by name, by
 * its short form in any case (`tcp` for PROTOCOL_TCP) or number; integers as numbers or strings.
 * Refused, with the path: unknown and duplicate fields, other types, numbers out of range or with
 * a fraction or exponent, text that is not UTF-8, anything after the object.
 * Bytes are base64. Times, durations and field masks are text (json_known.h).
 * Written: lowerCamelCase, defaults left out, a oneof's member whenever set, 64 bits as strings.
 */
#ifndef CTRL_RPC_JSON_H
#define CTRL_RPC_JSON_H

#include "ctrl/rpc/decode.h"

ProtobufCMessage *json_decode(struct decode *decode, const ProtobufCMessageDescriptor *type,
			      const char *text, size_t len);

/* Append to `out`. 0 or -ENOMEM. */
int json_encode(const ProtobufCMessage *message, struct evbuffer *out);
int json_encode_part(struct encode_parts *parts, const ProtobufCMessage *part,
		     struct evbuffer *out);
int json_encode_parts_end(struct encode_parts *parts, struct evbuffer *out);
int json_encode_string(const char *text, struct evbuffer *out); /* with its quotes */

#endif
