/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the transports add to an error's sentence: which field is wrong, as google.rpc.BadRequest
 * (googleapis, google/rpc/error_details.proto), the form that clients' libraries know. One
 * violation at a time: the first one found ends a request.
 */
#ifndef CTRL_RPC_ERROR_DETAILS_H
#define CTRL_RPC_ERROR_DETAILS_H

#include <stddef.h>
#include <stdint.h>

#include "ctrl/problem.h"

#define ERROR_DETAILS_SIZE 2048 /* bytes of a message */
#define ERROR_DETAILS_TYPE "google.rpc.BadRequest"

/*
 * The message, in binary, for an error with that sentence. 0: no field is at fault, or none is
 * named (see ctrl/problem.h).
 */
size_t error_bad_request(enum problem_code code, const char *text, uint8_t out[ERROR_DETAILS_SIZE]);

/* google.rpc.Status of such an error, with that in its details, for gRPC. 0: it would have none. */
size_t error_status(enum problem_code code, const char *text, uint8_t out[ERROR_DETAILS_SIZE]);

#endif
