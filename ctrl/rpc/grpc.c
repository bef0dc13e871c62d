/* SPDX-License-Identifier: BSD-3-Clause */
/* gRPC over HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sluice/base64.h>

#include <event2/buffer.h>

#include "ctrl/rpc/error_details.h"
#include "ctrl/rpc/protocol.h"

#define PROTO_TYPE     "application/grpc+proto"
#define JSON_TYPE      "application/grpc+json"
#define TIMEOUT_DIGITS 8

/* 1 to 8 digits and a unit. */
static bool read_timeout(const struct http_exchange *x, uint32_t *ms)
{
	static const struct {
		char unit;
		double ms;
	} units[] = {{'H', 3600e3}, {'M', 60e3}, {'S', 1e3}, {'m', 1}, {'u', 1e-3}, {'n', 1e-6}};
	const char *field = http_field(x, "grpc-timeout");
	size_t digits = field ? strspn(field, "0123456789") : 0;
	double value;

	if (!field)
		return true;
	if (!digits || digits > TIMEOUT_DIGITS || strlen(field) != digits + 1)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (field[digits] != units[i].unit)
			continue;
		value = strtoul(field, NULL, 10) * units[i].ms;
		*ms = value < 1 ? 1 : value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
		return true;
	}
	return false;
}

static enum problem_code grpc_check(struct http_exchange *x, uint32_t *timeout_ms, const char **why)
{
	const char *encoding = http_field(x, "grpc-encoding");

	if (encoding && strcasecmp(encoding, "identity")) {
		*why = "grpc-encoding: identity alone is served";
		return PROBLEM_UNIMPLEMENTED;
	}
	if (!read_timeout(x, timeout_ms)) {
		*why = "grpc-timeout: not up to eight digits and a unit";
		return PROBLEM_INVALID_ARGUMENT;
	}
	return PROBLEM_NONE;
}

static void add_head(struct http_exchange *x, enum rpc_format format)
{
	http_reply_field(x, "content-type", format == RPC_FORMAT_JSON ? JSON_TYPE : PROTO_TYPE);
	http_reply_field(x, "grpc-accept-encoding", "identity");
}

static void begin(struct http_exchange *x, enum rpc_format format)
{
	if (http_reply_begun(x))
		return;
	add_head(x, format);
	http_reply_begin(x, 200);
}

static bool grpc_message(struct http_exchange *x, enum rpc_format format,
			 const ProtobufCMessage *message)
{
	begin(x, format);
	if (envelope_add_message(http_reply_body(x), format, message))
		return false;
	http_reply_flush(x);
	return true;
}

/* The length stands before the message, so all of it has to be here. */
static bool grpc_part(struct http_exchange *x, enum rpc_format format, struct evbuffer *bytes,
		      bool ended)
{
	if (!ended)
		return true;
	begin(x, format);
	if (envelope_add(http_reply_body(x), 0, bytes))
		return false;
	http_reply_flush(x);
	return true;
}

/* grpc-message: printable ASCII stays, but for %; all else is percent-encoded. */
static void encode_text(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text && n + 4 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c <= 0x7e && c != '%')
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, size - n, "%%%02X", c);
	}
	out[n] = '\0';
}

/* google.rpc.Status once more, with the details. */
static void add_details(struct http_exchange *x,
			void (*add)(struct http_exchange *, const char *, const char *),
			enum problem_code code, const char *text)
{
	uint8_t status[ERROR_DETAILS_SIZE];
	char value[SL_BASE64_SIZE(ERROR_DETAILS_SIZE)];
	size_t len = error_status(code, text, status);

	if (!len)
		return;
	sl_base64_encode(status, len, value);
	value[strcspn(value, "=")] = '\0';
	add(x, "grpc-status-details-bin", value);
}

/* In trailers, or, when nothing went before, in a header that is the whole answer. */
static void grpc_end(struct http_exchange *x, enum rpc_format format, enum problem_code code,
		     const char *text)
{
	void (*add)(struct http_exchange *, const char *, const char *) =
		http_reply_begun(x) ? http_reply_trailer : http_reply_field;
	char status[12], message[1024];

	snprintf(status, sizeof(status), "%d", code);
	encode_text(text, message, sizeof(message));
	if (!http_reply_begun(x))
		add_head(x, format);
	add(x, "grpc-status", status);
	if (code) {
		add(x, "grpc-message", message);
		add_details(x, add, code, text);
	}
	if (http_reply_begun(x))
		http_reply_end(x);
	else
		http_reply(x, 200);
}

const struct protocol protocol_grpc = {
	.proto_type = "application/grpc", /* and with +proto */
	.json_type = JSON_TYPE,
	.enveloped = true,
	.http2 = true,
	.check = grpc_check,
	.message = grpc_message,
	.part = grpc_part,
	.end = grpc_end,
};
