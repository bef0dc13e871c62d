/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON (RFC 8259) as a row of tokens, read where they stand; only texts are copied. */
#ifndef CTRL_RPC_JSON_TEXT_H
#define CTRL_RPC_JSON_TEXT_H

#include "ctrl/rpc/decode.h"

enum json_type {
	JSON_OBJECT, /* it begins */
	JSON_ARRAY,  /* it begins */
	JSON_STRING,
	JSON_INTEGER, /* within 64 bits, signed */
	JSON_REAL,    /* a number with a fraction or an exponent, which no field of ours holds */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

struct json_value {
	enum json_type type;
	char *string; /* in the arena, with a NUL */
	int64_t integer;
};

/* A member's name as it stands in the text. */
struct json_key {
	const char *at;
	size_t len;
};

/* What is read, and how far. Each function below that fails has said why in `decode`. */
struct json_text {
	struct decode *decode;
	const char *begin, *at, *end;
};

bool json_text_value(struct json_text *text, struct json_value *value);

/*
 * After the begin of an object or array and after each of its values: true when there is another
 * one, *more, or the end of it has been read. `first`: nothing was read of it yet.
 */
bool json_text_member(struct json_text *text, bool first, struct json_key *key, bool *more);
bool json_text_element(struct json_text *text, bool first, bool *more);

/* After all of it: there is nothing more. */
bool json_text_end(struct json_text *text);

#endif
