/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/json_known.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

#define DURATION_MAX_S  INT64_C(315576000000) /* ten thousand years, by the type's own rule */
#define TIMESTAMP_MIN_S INT64_C(-62135596800) /* 0001-01-01T00:00:00Z, likewise */
#define TIMESTAMP_MAX_S INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define NANOS_MAX       999999999

#define TIMESTAMP       (&google__protobuf__timestamp__descriptor)
#define DURATION        (&google__protobuf__duration__descriptor)
#define FIELD_MASK      (&google__protobuf__field_mask__descriptor)

bool json_known(const ProtobufCMessageDescriptor *type)
{
	return type == TIMESTAMP || type == DURATION || type == FIELD_MASK;
}

/* ".25": up to nine digits after a point, as nanoseconds. Returns the end; NULL: not that. */
static const char *read_fraction(const char *text, int32_t *nanos)
{
	size_t digits;

	*nanos = 0;
	if (*text != '.')
		return text;
	digits = strspn(++text, "0123456789");
	if (digits < 1 || digits > 9)
		return NULL;
	for (size_t i = 0; i < 9; i++)
		*nanos = *nanos * 10 + (i < digits ? text[i] - '0' : 0);
	return text + digits;
}

/* "Z" or "+01:00", in seconds. */
static bool read_offset(const char *text, int *seconds)
{
	int hours, minutes, n = 0;
	char sign;

	*seconds = 0;
	if (!strcmp(text, "Z"))
		return true;
	if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &n) != 3 || n != 6 || text[n] ||
	    (sign != '+' && sign != '-') || !isdigit((unsigned char)text[1]) ||
	    !isdigit((unsigned char)text[4]) || hours > 23 || minutes > 59)
		return false;
	*seconds = (hours * 60 + minutes) * (sign == '+' ? 60 : -60);
	return true;
}

/* Does the calendar know this day and time? */
static bool normal(const struct tm *tm)
{
	struct tm copy = *tm;

	timegm(&copy);
	return copy.tm_mday == tm->tm_mday && copy.tm_mon == tm->tm_mon &&
	       copy.tm_hour == tm->tm_hour && copy.tm_min == tm->tm_min &&
	       copy.tm_sec == tm->tm_sec;
}

static bool read_timestamp(const char *text, Google__Protobuf__Timestamp *t)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int offset;

	/* strptime takes numbers without their leading zeros: 19 characters are all with them. */
	if (!rest || rest - text != 19 || !normal(&tm))
		return false;
	rest = read_fraction(rest, &t->nanos);
	if (!rest || !read_offset(rest, &offset))
		return false;
	t->seconds = (int64_t)timegm(&tm) - offset;
	return true;
}

static bool read_duration(const char *text, Google__Protobuf__Duration *d)
{
	bool negative = *text == '-';
	size_t digits = strspn(text + negative, "0123456789");
	const char *rest = text + negative + digits;

	if (digits < 1 || digits > 12)
		return false;
	d->seconds = (int64_t)strtoull(text + negative, NULL, 10);
	rest = read_fraction(rest, &d->nanos);
	if (!rest || strcmp(rest, "s") || d->seconds > DURATION_MAX_S)
		return false;
	if (negative) {
		d->seconds = -d->seconds;
		d->nanos = -d->nanos;
	}
	return true;
}

/* One path: lowerCamelCase to the .proto's words. Returns the end of what was written. */
static char *write_path(const char *path, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++) {
		if (isupper((unsigned char)path[i]))
			*out++ = '_';
		*out++ = (char)tolower((unsigned char)path[i]);
	}
	*out++ = '\0';
	return out;
}

static bool read_field_mask(struct decode *decode, const char *text,
			    Google__Protobuf__FieldMask *mask)
{
	size_t n = *text != '\0';
	char *out;

	for (const char *c = text; *c; c++)
		n += *c == ',';
	mask->paths = decode_alloc(decode, (n + 1) * sizeof(*mask->paths));
	out = decode_alloc(decode, 2 * strlen(text) + n + 1);
	if (!mask->paths || !out)
		return false;
	while (mask->n_paths < n) {
		size_t len = strcspn(text, ",");

		mask->paths[mask->n_paths++] = out;
		out = write_path(text, len, out);
		text += len + 1;
	}
	return true;
}

static bool timestamp_in_range(const Google__Protobuf__Timestamp *t)
{
	return t->seconds >= TIMESTAMP_MIN_S && t->seconds <= TIMESTAMP_MAX_S && t->nanos >= 0 &&
	       t->nanos <= NANOS_MAX;
}

/* Seconds and nanoseconds have one sign. */
static bool duration_in_range(const Google__Protobuf__Duration *d)
{
	return d->seconds >= -DURATION_MAX_S && d->seconds <= DURATION_MAX_S &&
	       d->nanos >= (d->seconds > 0 ? 0 : -NANOS_MAX) &&
	       d->nanos <= (d->seconds < 0 ? 0 : NANOS_MAX);
}

bool json_known_in_range(struct decode *decode, const ProtobufCMessage *message)
{
	if (message->descriptor == TIMESTAMP &&
	    !timestamp_in_range((const Google__Protobuf__Timestamp *)message))
		return decode_fail(decode, "not a time in the years 1 to 9999");
	if (message->descriptor == DURATION &&
	    !duration_in_range((const Google__Protobuf__Duration *)message))
		return decode_fail(decode, "not a duration of at most ten thousand years");
	return true;
}

bool json_known_read(struct decode *decode, const char *text, ProtobufCMessage *message)
{
	if (message->descriptor == FIELD_MASK)
		return read_field_mask(decode, text, (Google__Protobuf__FieldMask *)message);
	if (message->descriptor == TIMESTAMP) {
		if (!read_timestamp(text, (Google__Protobuf__Timestamp *)message))
			return decode_fail(decode,
					   "\"%.40s\" is not a time as 2006-01-02T15:04:05Z", text);
		return json_known_in_range(decode, message);
	}
	return read_duration(text, (Google__Protobuf__Duration *)message) ||
	       decode_fail(decode, "\"%.40s\" is not a duration as 90s", text);
}

/* Three, six or nine digits, as few as it takes. */
static void write_fraction(int32_t nanos, char *out)
{
	if (nanos % 1000)
		snprintf(out, 11, ".%09" PRId32, nanos);
	else if (nanos % 1000000)
		snprintf(out, 11, ".%06" PRId32, nanos / 1000);
	else if (nanos)
		snprintf(out, 11, ".%03" PRId32, nanos / 1000000);
	else
		*out = '\0';
}

static const char *timestamp_text(const Google__Protobuf__Timestamp *t, char *out)
{
	time_t seconds = (time_t)t->seconds;
	struct tm tm = {0};
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(out, JSON_KNOWN_TEXT - 12, "%04Y-%m-%dT%H:%M:%S", &tm);
	write_fraction(t->nanos, out + n);
	strcat(out, "Z");
	return out;
}

static const char *duration_text(const Google__Protobuf__Duration *d, char *out)
{
	bool negative = d->seconds < 0 || d->nanos < 0;
	char fraction[12];

	write_fraction(abs(d->nanos), fraction);
	snprintf(out, JSON_KNOWN_TEXT, "%s%" PRId64 "%ss", negative ? "-" : "",
		 d->seconds < 0 ? -d->seconds : d->seconds, fraction);
	return out;
}

const char *json_known_text(const ProtobufCMessage *message, char *out)
{
	if (message->descriptor == TIMESTAMP)
		return timestamp_text((const Google__Protobuf__Timestamp *)message, out);
	if (message->descriptor == DURATION)
		return duration_text((const Google__Protobuf__Duration *)message, out);
	return NULL;
}
