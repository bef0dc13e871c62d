/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/yaml_scalar.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

enum scalar { STRING, NUL, TRUTH, INTEGER, REAL };

static bool is_one_of(const char *text, const char *const words[3])
{
	for (int i = 0; i < 3; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_real(const char *p)
{
	size_t whole, fraction = 0, exponent;

	p += *p == '-' || *p == '+';
	whole = strspn(p, DIGITS);
	p += whole;
	if (*p == '.') {
		fraction = strspn(++p, DIGITS);
		p += fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		exponent = strspn(p, DIGITS);
		if (exponent == 0)
			return false;
		p += exponent;
	}
	return *p == '\0';
}

static enum scalar kind_of(const char *text, size_t len, int *base)
{
	static const char *const nulls[] = {"null", "Null", "NULL"};
	static const char *const yes[] = {"true", "True", "TRUE"};
	static const char *const no[] = {"false", "False", "FALSE"};
	const char *digits = text + (*text == '-' || *text == '+');

	if (strlen(text) != len)
		return STRING;
	if (len == 0 || strcmp(text, "~") == 0 || is_one_of(text, nulls))
		return NUL;
	if (is_one_of(text, yes) || is_one_of(text, no))
		return TRUTH;
	*base = 10;
	if (*digits && digits[strspn(digits, DIGITS)] == '\0')
		return INTEGER;
	if (text[0] == '0' && (text[1] == 'o' || text[1] == 'x') && text[2]) {
		*base = text[1] == 'x' ? 16 : 8;
		if (text[2 + strspn(text + 2, *base == 16 ? DIGITS "abcdefABCDEF" : "01234567")] ==
		    '\0')
			return INTEGER;
	}
	return is_real(text) ? REAL : STRING;
}

json_t *yaml_scalar_plain(const char *text, size_t len)
{
	int base;
	long long integer;

	switch (kind_of(text, len, &base)) {
	case NUL: return json_null();
	case TRUTH: return json_boolean(*text == 't' || *text == 'T');
	case INTEGER:
		errno = 0;
		integer = strtoll(base == 10 ? text : text + 2, NULL, base);
		return errno ? NULL : json_integer(integer);
	case REAL: return json_real(strtod(text, NULL));
	default: return json_stringn(text, len);
	}
}

int yaml_scalar_is_typed(const char *text, size_t len)
{
	int base;

	return kind_of(text, len, &base) != STRING;
}
