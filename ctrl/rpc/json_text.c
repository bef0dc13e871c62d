/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/json_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/rpc/utf8.h"

/* It is the text that is wrong, not what it says: the place, and no path. */
static bool wrong(struct json_text *t, const char *why)
{
	unsigned int line = 1, column = 1;

	for (const char *c = t->begin; c < t->at; c++) {
		column = *c == '\n' ? 1 : column + 1;
		line += *c == '\n';
	}
	decode_leave(t->decode, 0);
	return decode_fail(t->decode, "line %u, column %u: %s", line, column, why);
}

/* The next byte that is no white space; NUL at the end. */
static char peek(struct json_text *t)
{
	while (t->at < t->end &&
	       (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r'))
		t->at++;
	return t->at < t->end ? *t->at : '\0';
}

/* ---- strings ---- */

/* From after the quote to the quote that ends it; *plain: no escapes. NULL: said. */
static const char *find_quote(struct json_text *t, bool *plain)
{
	unsigned char all = 0;
	const char *c;

	*plain = true;
	for (c = t->at; c < t->end && *c != '"'; c++) {
		if ((unsigned char)*c < 0x20) {
			t->at = c;
			wrong(t, "a control character in a string");
			return NULL;
		}
		all |= (unsigned char)*c;
		if (*c == '\\' && c + 1 < t->end) {
			*plain = false;
			all |= (unsigned char)*++c; /* which does not end it */
		}
	}
	if (c >= t->end) {
		wrong(t, "a string that does not end");
		return NULL;
	}
	if (all >= 0x80 && !utf8_valid_text((const uint8_t *)t->at, (size_t)(c - t->at))) {
		wrong(t, "a string that is not UTF-8");
		return NULL;
	}
	return c;
}

/* Four hexadecimal digits at `at`; -1: they are not. */
static int hex4(const char *at, const char *end)
{
	int number = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = tolower((unsigned char)at[i]);

		if (!isxdigit(c))
			return -1;
		number = number * 16 + (isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	return number;
}

static char *put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* From after "\u": one character, perhaps of two escapes. NULL: it is none. */
static char *unescape_u(const char **at, const char *end, char *out)
{
	int high = hex4(*at, end), low;

	if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
		return NULL;
	*at += 4;
	if (high < 0xd800 || high > 0xdbff)
		return put_utf8(out, (uint32_t)high);
	low = end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' ? hex4(*at + 2, end) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return NULL;
	*at += 6;
	return put_utf8(out,
			0x10000u + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00));
}

/* Never longer than it was. False: an escape that is none. */
static bool unescape(const char *at, const char *end, char *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	while (at < end) {
		const char *known;

		if (*at != '\\') {
			*out++ = *at++;
			continue;
		}
		at++; /* a character follows: find_quote() */
		if (*at == 'u') {
			at++;
			out = unescape_u(&at, end, out);
			if (!out)
				return false;
			continue;
		}
		known = strchr(from, *at);
		if (!*at || !known)
			return false;
		*out++ = to[known - from];
		at++;
	}
	*out = '\0';
	return true;
}

static bool read_string(struct json_text *t, struct json_value *value)
{
	const char *quote;
	bool plain;
	size_t len;

	t->at++;
	quote = find_quote(t, &plain);
	if (!quote)
		return false;
	len = (size_t)(quote - t->at);
	value->type = JSON_STRING;
	value->string = decode_alloc(t->decode, len + 1); /* zeros */
	if (!value->string)
		return false;
	if (plain)
		memcpy(value->string, t->at, len);
	else if (!unescape(t->at, quote, value->string))
		return wrong(t, "a string with an escape that stands for no character");
	t->at = quote + 1;
	return true;
}

/* ---- numbers and words ---- */

static bool digits(struct json_text *t)
{
	const char *first = t->at;

	while (t->at < t->end && isdigit((unsigned char)*t->at))
		t->at++;
	return t->at > first;
}

static bool is_at(const struct json_text *t, const char *any)
{
	return t->at < t->end && *t->at && strchr(any, *t->at);
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool read_number(struct json_text *t, struct json_value *value)
{
	const char *first = t->at;
	char copy[24];
	size_t len;

	value->type = JSON_INTEGER;
	if (*t->at == '-')
		t->at++;
	if (is_at(t, "0"))
		t->at++;
	else if (!digits(t))
		return wrong(t, "a number without digits");
	len = (size_t)(t->at - first);
	if (is_at(t, ".")) {
		t->at++;
		value->type = JSON_REAL;
		if (!digits(t))
			return wrong(t, "a number without digits after its point");
	}
	if (is_at(t, "eE")) {
		t->at++;
		value->type = JSON_REAL;
		if (is_at(t, "+-"))
			t->at++;
		if (!digits(t))
			return wrong(t, "a number without digits in its exponent");
	}
	if (value->type == JSON_REAL)
		return true;
	errno = 0;
	if (len < sizeof(copy)) {
		memcpy(copy, first, len);
		copy[len] = '\0';
		value->integer = strtoll(copy, NULL, 10);
	}
	return (len < sizeof(copy) && !errno) || wrong(t, "a number of more than 64 bits");
}

static bool read_word(struct json_text *t, struct json_value *value)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i].word);

		if ((size_t)(t->end - t->at) < len || memcmp(t->at, words[i].word, len))
			continue;
		t->at += len;
		value->type = words[i].type;
		return true;
	}
	return wrong(t, "a value was expected");
}

bool json_text_value(struct json_text *t, struct json_value *value)
{
	char c = peek(t);

	*value = (struct json_value){0};
	if (c == '"')
		return read_string(t, value);
	if (c == '-' || isdigit((unsigned char)c))
		return read_number(t, value);
	if (c != '{' && c != '[')
		return read_word(t, value);
	value->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
	t->at++;
	return true;
}

/* ---- objects and arrays ---- */

/* Another one, or the end? */
static bool go_on(struct json_text *t, bool first, char closing, bool *more)
{
	char c = peek(t);

	*more = c != closing;
	if (!*more) {
		t->at++;
		return true;
	}
	if (first)
		return true;
	if (c != ',')
		return wrong(t, closing == '}' ? "',' or '}' was expected"
					       : "',' or ']' was expected");
	t->at++;
	return true;
}

bool json_text_element(struct json_text *t, bool first, bool *more)
{
	return go_on(t, first, ']', more);
}

/* No name of ours has escapes; one with some is of no field, and said to be so as it stands. */
bool json_text_member(struct json_text *t, bool first, struct json_key *key, bool *more)
{
	const char *quote;
	bool plain;

	if (!go_on(t, first, '}', more))
		return false;
	if (!*more)
		return true;
	if (peek(t) != '"')
		return wrong(t, "a name between quotes was expected");
	t->at++;
	quote = find_quote(t, &plain);
	if (!quote)
		return false;
	*key = (struct json_key){t->at, (size_t)(quote - t->at)};
	t->at = quote + 1;
	if (peek(t) != ':')
		return wrong(t, "':' was expected");
	t->at++;
	return true;
}

bool json_text_end(struct json_text *t)
{
	return (peek(t) == '\0' && t->at == t->end) || wrong(t, "the end was expected");
}
