/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Connect protocol (connectrpc.com, "Connect protocol reference"): unary calls, whose bodies
 * are the messages, and streams of enveloped messages that a JSON object ends. Over either version
 * of HTTP.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sluice/base64.h>

#include <event2/buffer.h>

#include "ctrl/rpc/error_details.h"
#include "ctrl/rpc/json.h"
#include "ctrl/rpc/protocol.h"

#define JSON_TYPE         "application/json"
#define PROTO_TYPE        "application/proto"
#define STREAM_JSON_TYPE  "application/connect+json"
#define STREAM_PROTO_TYPE "application/connect+proto"

/* The protocol's status for an error code. */
static int status_of(enum problem_code code)
{
	switch (code) {
	case PROBLEM_NONE: return 200;
	case PROBLEM_CANCELED: return 499;
	case PROBLEM_INVALID_ARGUMENT:
	case PROBLEM_FAILED_PRECONDITION:
	case PROBLEM_OUT_OF_RANGE: return 400;
	case PROBLEM_DEADLINE_EXCEEDED: return 504;
	case PROBLEM_NOT_FOUND: return 404;
	case PROBLEM_ALREADY_EXISTS:
	case PROBLEM_ABORTED: return 409;
	case PROBLEM_PERMISSION_DENIED: return 403;
	case PROBLEM_RESOURCE_EXHAUSTED: return 429;
	case PROBLEM_UNIMPLEMENTED: return 501;
	case PROBLEM_UNAVAILABLE: return 503;
	case PROBLEM_UNAUTHENTICATED: return 401;
	case PROBLEM_UNKNOWN:
	case PROBLEM_INTERNAL:
	case PROBLEM_DATA_LOSS: return 500;
	}
	return 500;
}

/* ,"details":[{"type":...,"value":...}]: which field is wrong. Base64 without padding. */
static void add_details(struct evbuffer *body, enum problem_code code, const char *text)
{
	uint8_t details[ERROR_DETAILS_SIZE];
	char value[SL_BASE64_SIZE(ERROR_DETAILS_SIZE)];
	size_t len = error_bad_request(code, text, details);

	if (!len)
		return;
	sl_base64_encode(details, len, value);
	value[strcspn(value, "=")] = '\0';
	evbuffer_add_printf(body, ",\"details\":[{\"type\":\"%s\",\"value\":\"%s\"}]",
			    ERROR_DETAILS_TYPE, value);
}

static void add_error(struct evbuffer *out, enum problem_code code, const char *text)
{
	evbuffer_add_printf(out, "{\"code\":\"%s\",\"message\":", problem_code_name(code));
	json_encode_string(text, out);
	add_details(out, code, text);
	evbuffer_add(out, "}", 1);
}

void protocol_refuse(struct http_exchange *x, int status, enum problem_code code, const char *text)
{
	struct evbuffer *body = http_reply_body(x);

	evbuffer_drain(body, evbuffer_get_length(body));
	add_error(body, code, text);
	http_reply_field(x, "Content-Type", JSON_TYPE);
	http_reply(x, status);
}

/* Connect-Timeout-Ms: up to ten digits. */
static bool read_timeout(const struct http_exchange *x, uint32_t *ms)
{
	const char *field = http_field(x, "Connect-Timeout-Ms");
	unsigned long long value;

	if (!field)
		return true;
	value = strtoull(field, NULL, 10);
	if (!*field || field[strspn(field, "0123456789")] || strlen(field) > 10 || value == 0)
		return false;
	*ms = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
	return true;
}

static bool is_identity(const struct http_exchange *x, const char *name)
{
	const char *encoding = http_field(x, name);

	return !encoding || !*encoding || !strcasecmp(encoding, "identity");
}

static enum problem_code check(struct http_exchange *x, const char *encoding_field,
			       const char *accept_field, uint32_t *timeout_ms, const char **why)
{
	const char *version = http_field(x, "Connect-Protocol-Version");

	if (version && strcmp(version, "1")) {
		*why = "Connect-Protocol-Version: 1 is the only one";
		return PROBLEM_INVALID_ARGUMENT;
	}
	if (!is_identity(x, encoding_field)) {
		http_reply_field(x, accept_field, "identity");
		*why = "the messages' encoding: identity alone is served";
		return PROBLEM_UNIMPLEMENTED;
	}
	if (!read_timeout(x, timeout_ms)) {
		*why = "Connect-Timeout-Ms: not a positive number of up to ten digits";
		return PROBLEM_INVALID_ARGUMENT;
	}
	return PROBLEM_NONE;
}

/* ---- unary ---- */

static enum problem_code unary_check(struct http_exchange *x, uint32_t *timeout_ms,
				     const char **why)
{
	return check(x, "Content-Encoding", "Accept-Encoding", timeout_ms, why);
}

static bool unary_message(struct http_exchange *x, enum rpc_format format,
			  const ProtobufCMessage *message)
{
	return rpc_encode(message, format, http_reply_body(x)) == 0;
}

static void put_type(struct http_exchange *x, enum rpc_format format)
{
	http_reply_field(x, "Content-Type", format == RPC_FORMAT_JSON ? JSON_TYPE : PROTO_TYPE);
}

/* Its length need not be known before. */
static bool unary_part(struct http_exchange *x, enum rpc_format format, struct evbuffer *bytes,
		       bool ended)
{
	if (evbuffer_add_buffer(http_reply_body(x), bytes))
		return false;
	if (!ended) {
		put_type(x, format);
		http_reply_part(x, 200);
	}
	return true;
}

/* What has begun with status 200 has no place for an error any more. */
static void unary_end(struct http_exchange *x, enum rpc_format format, enum problem_code code,
		      const char *text)
{
	if (code && http_reply_begun(x)) {
		http_reply_abort(x);
	} else if (code) {
		protocol_refuse(x, status_of(code), code, text);
	} else {
		put_type(x, format);
		http_reply(x, 200);
	}
}

const struct protocol protocol_connect = {
	.proto_type = PROTO_TYPE,
	.json_type = JSON_TYPE,
	.check = unary_check,
	.message = unary_message,
	.part = unary_part,
	.end = unary_end,
};

/* ---- streams ---- */

static enum problem_code stream_check(struct http_exchange *x, uint32_t *timeout_ms,
				      const char **why)
{
	return check(x, "Connect-Content-Encoding", "Connect-Accept-Encoding", timeout_ms, why);
}

static void begin(struct http_exchange *x, enum rpc_format format)
{
	if (http_reply_begun(x))
		return;
	http_reply_field(x, "Content-Type",
			 format == RPC_FORMAT_JSON ? STREAM_JSON_TYPE : STREAM_PROTO_TYPE);
	http_reply_begin(x, 200);
}

static bool stream_message(struct http_exchange *x, enum rpc_format format,
			   const ProtobufCMessage *message)
{
	begin(x, format);
	if (envelope_add_message(http_reply_body(x), format, message))
		return false;
	http_reply_flush(x);
	return true;
}

static void stream_end(struct http_exchange *x, enum rpc_format format, enum problem_code code,
		       const char *text)
{
	struct evbuffer *payload = evbuffer_new();

	begin(x, format);
	if (payload) {
		evbuffer_add(payload, "{", 1);
		if (code) {
			evbuffer_add_printf(payload, "\"error\":");
			add_error(payload, code, text);
		}
		evbuffer_add(payload, "}", 1);
		envelope_add(http_reply_body(x), ENVELOPE_END, payload);
		evbuffer_free(payload);
	}
	http_reply_end(x);
}

const struct protocol protocol_connect_stream = {
	.proto_type = STREAM_PROTO_TYPE,
	.json_type = STREAM_JSON_TYPE,
	.enveloped = true,
	.check = stream_check,
	.message = stream_message,
	.end = stream_end,
};
