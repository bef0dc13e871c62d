/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/utf8.h"

/* Bytes of the character that starts with `lead`, and the range of its second byte. */
static size_t sequence(uint8_t lead, uint8_t *low, uint8_t *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef) {
		if (lead == 0xe0)
			*low = 0xa0; /* below is over-long */
		if (lead == 0xed)
			*high = 0x9f; /* above are surrogates */
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		if (lead == 0xf0)
			*low = 0x90;
		if (lead == 0xf4)
			*high = 0x8f; /* above is beyond U+10FFFF */
		return 4;
	}
	return 0;
}

bool utf8_valid_text(const uint8_t *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint8_t low, high;
		size_t n = sequence(text[i], &low, &high);

		if (n == 0 || n > len - i || text[i] == 0)
			return false;
		if (n > 1 && (text[i + 1] < low || text[i + 1] > high))
			return false;
		for (size_t k = 2; k < n; k++)
			if (text[i + k] < 0x80 || text[i + k] > 0xbf)
				return false;
		i += n;
	}
	return true;
}
