/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/submit.h"

#include <stdlib.h>
#include <string.h>

#include "ctrl/rpc/reflect.h"
#include "ctrl/rpc/services.h"

#define REQUEST_ID_MAX 64

struct submission {
	struct rpc_call *call;
	submit_response_fn response;
};

static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* Of who calls what, with what. 0: no memory. */
static uint64_t digest(struct rpc_call *call)
{
	const ProtobufCMessage *request = rpc_call_request(call);
	const char *name = rpc_call_caller(call)->name, *method = rpc_call_name(call);
	size_t len = protobuf_c_message_get_packed_size(request);
	uint8_t *packed = malloc(len + 1);
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (!packed || !method) {
		free(packed);
		return 0;
	}
	protobuf_c_message_pack(request, packed);
	h = hash(h, name, strlen(name) + 1);
	h = hash(h, method, strlen(method) + 1);
	h = hash(h, packed, len);
	free(packed);
	return h | 1;
}

/* What a request with an id is answered, kept with it. */
static uint8_t *pack_response(void *arg, const struct apply_result *result, size_t *len)
{
	const struct submission *s = arg;
	const ProtobufCMessage *message = s->response(s->call, result);
	uint8_t *packed;

	if (!message)
		return NULL;
	*len = protobuf_c_message_get_packed_size(message);
	packed = malloc(*len + 1);
	if (packed)
		protobuf_c_message_pack(message, packed);
	return packed;
}

static void on_done(void *arg, const struct apply_result *result)
{
	const struct submission *s = arg;
	struct rpc_call *call = s->call;

	if (result->recorded)
		rpc_call_recorded(call);
	if (result->problem.code)
		rpc_fail(call, result->problem.code, "%s", result->problem.text);
	else if (result->response)
		rpc_reply(call, rpc_unpack(call, rpc_method_types(rpc_call_method(call))->output,
					   result->response, result->response_len));
	else
		rpc_reply(call, s->response(call, result));
}

void rpc_submit(struct rpc_call *call, struct apply_request *request, const char *about,
		submit_response_fn response)
{
	struct submission *s = rpc_alloc(call, sizeof(*s));
	struct problem problem;

	rpc_call_about(call, about);
	request->author = rpc_call_caller(call)->name;
	request->source = rpc_call_caller(call)->address;
	request->method = rpc_call_name(call);
	request->resource = about;
	request->validate_only = reflect_bool(rpc_call_request(call), "validate_only");
	request->request_id = reflect_string(rpc_call_request(call), "request_id");
	if (strlen(request->request_id) > REQUEST_ID_MAX) {
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "request_id: is longer than %d characters",
			 REQUEST_ID_MAX);
		return;
	}
	if (*request->request_id) {
		request->request_digest = digest(call);
		request->respond = pack_response;
	}
	if (!s || !about || !request->method || (request->respond && !request->request_digest)) {
		rpc_reply(call, NULL);
		return;
	}
	*s = (struct submission){call, response};
	if (apply_submit(rpc_call_ctrl(call)->apply, request, on_done, s, &problem))
		rpc_fail(call, problem.code, "%s", problem.text);
}
