/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64 (RFC 4648, section 4), as JSON carries bytes. Read: the alphabet for URLs, too. */
#ifndef CTRL_RPC_BASE64_H
#define CTRL_RPC_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* characters of n bytes, and a NUL */

/* Returns the number of characters. */
size_t base64_encode(const uint8_t *data, size_t len, char *out);

/* Bytes that a text of `len` characters takes at most. */
static inline size_t base64_room(size_t len)
{
	return len / 4 * 3 + 3;
}

/* With padding or without. False: it is none. */
bool base64_decode(const char *text, uint8_t *out, size_t *len);

#endif
