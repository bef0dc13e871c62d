/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64 (RFC 4648, section 4), as JSON carries bytes. Read: the alphabet for URLs, too. */
#ifndef SL_BASE64_H
#define SL_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SL_BASE64_SIZE(n)  (((n) + 2) / 3 * 4 + 1) /* characters of n bytes, and a NUL */

#define SL_BASE64_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/* Bytes that a text of `len` characters takes at most. */
static inline size_t sl_base64_room(size_t len)
{
	return len / 4 * 3 + 3;
}

/* Returns the number of characters. */
static inline size_t sl_base64_encode(const uint8_t *data, size_t len, char *out)
{
	char *c = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)data[i] << 16;

		group |= n > 1 ? (uint32_t)data[i + 1] << 8 : 0;
		group |= n > 2 ? data[i + 2] : 0;
		for (size_t k = 0; k < 4; k++)
			*c++ = k <= n ? SL_BASE64_ALPHABET[group >> (18 - 6 * k) & 63] : '=';
	}
	*c = '\0';
	return (size_t)(c - out);
}

static inline int sl_base64_value(char c)
{
	static const char alphabet[] = SL_BASE64_ALPHABET;
	const char *place;

	if (c == '-' || c == '_')
		return c == '-' ? 62 : 63;
	place = c ? strchr(alphabet, c) : NULL;
	return place ? (int)(place - alphabet) : -1;
}

/* With padding or without. False: it is none. */
static inline bool sl_base64_decode(const char *text, uint8_t *out, size_t *len)
{
	size_t n = strlen(text), bits = 0, padding = 0;
	uint32_t group = 0;

	while (n && text[n - 1] == '=' && padding < 2) {
		n--;
		padding++;
	}
	*len = 0;
	if (n % 4 == 1 || (padding && (n + padding) % 4))
		return false;
	for (size_t i = 0; i < n; i++) {
		int value = sl_base64_value(text[i]);

		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[(*len)++] = (uint8_t)(group >> bits);
		}
	}
	return true;
}

#endif
