/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The well-known types whose JSON is not that of their fields (protobuf.dev, "ProtoJSON
 * format"): google.protobuf.Timestamp is text of RFC 3339, Duration is seconds and an `s`,
 * FieldMask is paths in lowerCamelCase between commas.
 */
#ifndef CTRL_RPC_JSON_KNOWN_H
#define CTRL_RPC_JSON_KNOWN_H

#include "ctrl/rpc/decode.h"

#define JSON_KNOWN_TEXT 40 /* room for a time or a duration */

bool json_known(const ProtobufCMessageDescriptor *type);

/*
 * Within what the type's own .proto allows: years 1 to 9999, ten thousand years, nanoseconds below
 * one second. Asked of what a client sends in either format, so that nobody has to look for an
 * overflow later. False: said why. Other types have no range.
 */
bool json_known_in_range(struct decode *decode, const ProtobufCMessage *message);

/* Fill an initialized message of a known type from its text. False: said why. */
bool json_known_read(struct decode *decode, const char *text, ProtobufCMessage *message);

/*
 * The text of a time or duration, into `out` of JSON_KNOWN_TEXT. NULL for another type (a
 * FieldMask is only ever asked with).
 */
const char *json_known_text(const ProtobufCMessage *message, char *out);

#endif
