/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TESTS_RANDOM_MESSAGE_H
#define TESTS_RANDOM_MESSAGE_H

#include "ctrl/rpc/arena.h"

/*
 * A message of any type with random fields: extremes more often than chance would have it,
 * strings of one to four byte characters, controls and quotes, oneofs set to zero.
 */
ProtobufCMessage *random_message(struct rpc_arena *arena, const ProtobufCMessageDescriptor *type);

#endif
