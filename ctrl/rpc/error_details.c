/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/error_details.h"

#include <string.h>

#define TEXT_MAX 900 /* bytes of a sentence; two of them and some more are ERROR_DETAILS_SIZE */

/* A field of type string or message: number, length, bytes. Returns the end. */
static uint8_t *put(uint8_t *out, unsigned int number, const void *bytes, size_t len)
{
	*out++ = (uint8_t)(number << 3 | 2);
	if (len >= 128) /* no length here takes more than 14 bits */
		*out++ = (uint8_t)(len & 127) | 128;
	*out++ = (uint8_t)(len >= 128 ? len >> 7 : len);
	memcpy(out, bytes, len);
	return out + len;
}

size_t error_bad_request(enum problem_code code, const char *text, uint8_t out[ERROR_DETAILS_SIZE])
{
	size_t path = problem_path(text), rest;
	uint8_t violation[TEXT_MAX + 8], *end = violation;

	if (code != PROBLEM_INVALID_ARGUMENT || !path || strlen(text) > TEXT_MAX)
		return 0;
	rest = strlen(text + path + 2);
	end = put(end, 1, text, path);            /* FieldViolation.field */
	end = put(end, 2, text + path + 2, rest); /* .description */
	/* BadRequest.field_violations */
	return (size_t)(put(out, 1, violation, (size_t)(end - violation)) - out);
}

size_t error_status(enum problem_code code, const char *text, uint8_t out[ERROR_DETAILS_SIZE])
{
	static const char url[] = "type.googleapis.com/" ERROR_DETAILS_TYPE;
	uint8_t details[ERROR_DETAILS_SIZE], any[TEXT_MAX + sizeof(url) + 16], *end = any;
	size_t len = error_bad_request(code, text, details);

	if (!len)
		return 0;
	end = put(end, 1, url, sizeof(url) - 1); /* Any.type_url */
	end = put(end, 2, details, len);         /* .value */
	len = (size_t)(end - any);
	end = out;
	*end++ = 1 << 3; /* Status.code */
	*end++ = (uint8_t)code;
	end = put(end, 2, text, strlen(text)); /* .message */
	return (size_t)(put(end, 3, any, len) - out);
}
