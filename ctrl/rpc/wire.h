/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTRL_RPC_WIRE_H
#define CTRL_RPC_WIRE_H

#include "ctrl/rpc/decode.h"

/*
 * Look through a binary message before protobuf-c does. Its decoder takes strings that are
 * not UTF-8 and cuts them at a NUL, cuts numbers to 32 bits, merges a field given twice and keeps
 * unknown ones aside; each of these is an error here, with the field's path.
 * True when the bytes may go on to the decoder.
 */
bool wire_check(struct decode *decode, const ProtobufCMessageDescriptor *type, const uint8_t *data,
		size_t len);

#endif
