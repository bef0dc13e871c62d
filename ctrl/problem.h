/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why a request was refused: one of the API's error codes (those of the Connect protocol and
 * of gRPC, same numbers) and a sentence for the operator that begins with the path of what
 * is wrong: `virtual_servers[web].port: 0 is not in 1..65535`.
 */
#ifndef CTRL_PROBLEM_H
#define CTRL_PROBLEM_H

#include <stdarg.h>
#include <stddef.h>

/* X(symbol, number, name in the API) */
#define PROBLEM_CODES(X)                                 \
	X(CANCELED, 1, "canceled")                       \
	X(UNKNOWN, 2, "unknown")                         \
	X(INVALID_ARGUMENT, 3, "invalid_argument")       \
	X(DEADLINE_EXCEEDED, 4, "deadline_exceeded")     \
	X(NOT_FOUND, 5, "not_found")                     \
	X(ALREADY_EXISTS, 6, "already_exists")           \
	X(PERMISSION_DENIED, 7, "permission_denied")     \
	X(RESOURCE_EXHAUSTED, 8, "resource_exhausted")   \
	X(FAILED_PRECONDITION, 9, "failed_precondition") \
	X(ABORTED, 10, "aborted")                        \
	X(OUT_OF_RANGE, 11, "out_of_range")              \
	X(UNIMPLEMENTED, 12, "unimplemented")            \
	X(INTERNAL, 13, "internal")                      \
	X(UNAVAILABLE, 14, "unavailable")                \
	X(DATA_LOSS, 15, "data_loss")                    \
	X(UNAUTHENTICATED, 16, "unauthenticated")

enum problem_code {
	PROBLEM_NONE = 0,
#define X(symbol, number, name) PROBLEM_##symbol = number,
	PROBLEM_CODES(X)
#undef X
};

struct problem {
	enum problem_code code;
	char text[512];
};

/* The code's name in the API; "ok" for PROBLEM_NONE. */
const char *problem_code_name(enum problem_code code);

/* Length of the path that a sentence begins with (": " follows it); 0: it begins with none. */
size_t problem_path(const char *text);

/* Fill in; returns -EINVAL, so that a check can `return problem_set(...)`. */
int problem_set(struct problem *problem, enum problem_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
