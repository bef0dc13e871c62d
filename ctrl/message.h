/* SPDX-License-Identifier: BSD-3-Clause */
/* A message and all that it points to, copied into one block of memory. */
#ifndef CTRL_MESSAGE_H
#define CTRL_MESSAGE_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#define MESSAGE_ALIGN _Alignof(max_align_t)

/* Bytes that its copy takes: a multiple of MESSAGE_ALIGN. */
size_t message_size(const ProtobufCMessage *message);

/*
 * Copy it to `room`, which is aligned and has message_size(message) bytes. Fields that no .proto
 * names stay behind. Of types that schema_unfit() (ctrl/rpc/schema.h) has nothing against.
 */
ProtobufCMessage *message_copy(const ProtobufCMessage *message, void *room);

#endif
