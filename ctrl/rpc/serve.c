/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/serve.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ctrl/rpc/serving.h"

/* A media type; of parameters only charset=utf-8, for JSON. */
static bool is_type(const char *type, const char *known)
{
	size_t len = strcspn(type, "; \t");
	const char *rest = type + len + strspn(type + len, "; \t");

	if (len != strlen(known) || strncasecmp(type, known, len))
		return false;
	return !*rest || (strstr(known, "json") && (!strcasecmp(rest, "charset=utf-8") ||
						    !strcasecmp(rest, "charset=\"utf-8\"")));
}

static const struct protocol *find_protocol(const struct http_exchange *x, enum rpc_format *format)
{
	static const struct protocol *const protocols[] = {
		&protocol_connect, &protocol_connect_stream, &protocol_grpc};
	const char *type = http_field(x, "Content-Type") ?: "";

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		*format =
			is_type(type, protocols[i]->json_type) ? RPC_FORMAT_JSON : RPC_FORMAT_PROTO;
		if (*format == RPC_FORMAT_JSON || is_type(type, protocols[i]->proto_type))
			return protocols[i];
	}
	*format = RPC_FORMAT_PROTO;
	return is_type(type, "application/grpc+proto") ? &protocol_grpc : NULL;
}

static const struct rpc_method *find_method(const char *target)
{
	const char *slash = strrchr(target, '/');
	char service[96];

	if (*target != '/' || slash == target)
		return NULL;
	snprintf(service, sizeof(service), "%.*s", (int)(slash - target - 1), target + 1);
	return rpc_method_find(service, slash + 1);
}

/* Does the protocol have room for what the method is? */
static bool fits(const struct protocol *protocol, const struct rpc_method *method)
{
	return protocol == &protocol_grpc ||
	       (protocol == &protocol_connect_stream) == (method->shape != RPC_UNARY);
}

/* What can be said by HTTP's status alone. False: the refusal has been sent. */
static bool check_http(struct http_exchange *x, const struct protocol *protocol,
		       const struct rpc_method *method)
{
	char text[256];

	if (!method && protocol != &protocol_grpc) {
		snprintf(text, sizeof(text), "%.160s is no method of this API", http_target(x));
		protocol_refuse(x, 404, PROBLEM_UNIMPLEMENTED, text);
	} else if (strcmp(http_verb(x), "POST")) {
		http_reply_field(x, "Allow", "POST");
		protocol_refuse(x, 405, PROBLEM_UNIMPLEMENTED, "methods are called by POST");
	} else if (!protocol || (method && !fits(protocol, method))) {
		bool streams = method->shape != RPC_UNARY;

		snprintf(text, sizeof(text), "%s, %s, application/grpc",
			 streams ? protocol_connect_stream.proto_type : protocol_connect.proto_type,
			 streams ? protocol_connect_stream.json_type : protocol_connect.json_type);
		http_reply_field(x, "Accept-Post", text);
		protocol_refuse(x, 415, PROBLEM_UNIMPLEMENTED,
				"Content-Type: not one that this method is served with");
	} else if (protocol->http2 && !http_is_http2(x)) {
		protocol_refuse(x, 505, PROBLEM_UNIMPLEMENTED, "gRPC takes HTTP/2");
	} else {
		return true;
	}
	return false;
}

/* What the protocol says itself. PROBLEM_NONE: go on. */
static enum problem_code check_call(struct http_exchange *x, const struct protocol *protocol,
				    const struct rpc_method *method, uint32_t *timeout_ms,
				    char *text, size_t size)
{
	const struct caller *caller = http_caller(x);
	const char *why = "";
	enum problem_code code;

	if (!method) {
		snprintf(text, size, "%.160s is no method of this API", http_target(x));
		return PROBLEM_UNIMPLEMENTED;
	}
	if (caller->role < method->role) {
		snprintf(text, size, "%s needs the role %s; %s has the role %s", method->name,
			 caller_role_name(method->role), *caller->name ? caller->name : "who calls",
			 caller_role_name(caller->role));
		return PROBLEM_PERMISSION_DENIED;
	}
	code = protocol->check(x, timeout_ms, &why);
	snprintf(text, size, "%s", why);
	return code;
}

static void begin(struct serve *serve, struct http_exchange *x)
{
	const struct rpc_method *method = find_method(http_target(x));
	struct rpc_start start = {.caller = *http_caller(x), .sink = &serving_sink};
	const struct protocol *protocol;
	enum problem_code code;
	enum rpc_format format;
	struct serving *s;
	char text[384];

	protocol = find_protocol(x, &format);
	if (!check_http(x, protocol, method))
		return;
	code = check_call(x, protocol, method, &start.timeout_ms, text, sizeof(text));
	if (code) {
		protocol->end(x, format, code, text);
		return;
	}
	s = serving_new(serve, x, method);
	if (!s) {
		protocol->end(x, format, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the call");
		return;
	}
	s->protocol = protocol;
	s->format = format;
	http_set_data(x, &s->exchange);
	start.transport = s;
	rpc_call_start(s->call, &start);
	serving_take(s);
}

void serve_request(struct serve *serve, struct http_exchange *x)
{
	if (http_data(x))
		serving_take(serving_at(x));
	else
		begin(serve, x);
}
