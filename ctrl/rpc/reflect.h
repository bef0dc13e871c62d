/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A message's fields by name, for handlers that serve many message types. A name that the type
 * does not have reads as the default; the .proto's regularity is what makes this sensible.
 */
#ifndef CTRL_RPC_REFLECT_H
#define CTRL_RPC_REFLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

const char *reflect_string(const ProtobufCMessage *message, const char *name); /* never NULL */
uint32_t reflect_uint32(const ProtobufCMessage *message, const char *name);
bool reflect_bool(const ProtobufCMessage *message, const char *name);

/* The first message-typed field, with its name; NULL when it is not set. */
const ProtobufCMessage *reflect_child(const ProtobufCMessage *message, const char **name);

/* A message-typed field. */
const ProtobufCMessage *reflect_message(const ProtobufCMessage *message, const char *name);

/* Of a response: set the only repeated field, or a string. */
void reflect_set_list(ProtobufCMessage *message, const ProtobufCMessage **elements, size_t n);
void reflect_set_string(ProtobufCMessage *message, const char *name, const char *value);

#endif
