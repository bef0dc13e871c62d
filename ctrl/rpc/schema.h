/* SPDX-License-Identifier: BSD-3-Clause */
/* What the decoders and encoders rely on about the .proto, and reflection that they share. */
#ifndef CTRL_RPC_SCHEMA_H
#define CTRL_RPC_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#define SCHEMA_FIELDS_MAX 32 /* of one message */
#define SCHEMA_DEPTH_MAX  6  /* messages in messages: bounds the decoders' recursion */

/*
 * NULL when the type and all below are made of what the codecs know: bool, enum, integers of 32
 * and 64 bits (no sint, fixed), string, bytes, message, repeated or not, oneofs; neither deep nor
 * recursive.
 * Else a sentence. Asked at start for every method, so that a change of the .proto can't
 * get further than a developer's first run.
 */
const char *schema_unfit(const ProtobufCMessageDescriptor *type);

/* Bytes of one value in a message struct or in a repeated field's array. */
size_t schema_value_size(const ProtobufCFieldDescriptor *field);

/* The field's place in a message: the value, or the number of elements or oneof's case. */
void *schema_value(const ProtobufCFieldDescriptor *field, const void *message);
void *schema_quantifier(const ProtobufCFieldDescriptor *field, const void *message);

/* Two members of one oneof? */
bool schema_same_oneof(const ProtobufCFieldDescriptor *a, const ProtobufCFieldDescriptor *b);

/* The part of an enum value's name after the enum's own: TCP of PROTOCOL_TCP. */
const char *schema_enum_short_name(const ProtobufCEnumDescriptor *type, const char *name);

#endif
