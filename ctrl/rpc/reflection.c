/* SPDX-License-Identifier: BSD-3-Clause */
/* grpc.reflection.v1 and v1alpha, whose messages are the same but for the package. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/rpc/call.h"
#include "ctrl/rpc/descriptors.h"
#include "ctrl/rpc/services.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest request_msg;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_msg;

/* So that one handler can read and write both. */
static_assert(sizeof(request_msg) == sizeof(Grpc__Reflection__V1alpha__ServerReflectionRequest) &&
		      sizeof(response_msg) ==
			      sizeof(Grpc__Reflection__V1alpha__ServerReflectionResponse),
	      "the same messages");

#define MESSAGE(call, name) rpc_message(call, &grpc__reflection__v1__##name##__descriptor)

static void set_error(struct rpc_call *call, response_msg *response, enum problem_code code,
		      const char *text)
{
	Grpc__Reflection__V1__ErrorResponse *error = MESSAGE(call, error_response);

	if (error) {
		error->error_code = code;
		error->error_message = (char *)text;
	}
	response->error_response = error;
	response->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
}

static void set_file(struct rpc_call *call, response_msg *response,
		     const struct descriptor_file *file)
{
	Grpc__Reflection__V1__FileDescriptorResponse *m = MESSAGE(call, file_descriptor_response);

	if (!file) {
		set_error(call, response, PROBLEM_NOT_FOUND, "no such file or symbol");
		return;
	}
	if (m)
		m->file_descriptor_proto =
			rpc_alloc(call, file->n_needs * sizeof(*m->file_descriptor_proto));
	if (m && m->file_descriptor_proto) {
		m->n_file_descriptor_proto = file->n_needs;
		for (size_t i = 0; i < file->n_needs; i++) {
			const struct descriptor_file *need = &descriptor_files[file->needs[i]];

			m->file_descriptor_proto[i] =
				(ProtobufCBinaryData){need->len, (uint8_t *)need->bytes};
		}
	}
	response->file_descriptor_response = m;
	response->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
}

static const struct descriptor_file *file_named(const char *name)
{
	for (size_t i = 0; i < descriptor_n_files; i++)
		if (!strcmp(descriptor_files[i].name, name))
			return &descriptor_files[i];
	return NULL;
}

static int by_name(const void *name, const void *symbol)
{
	return strcmp(name, ((const struct descriptor_symbol *)symbol)->name);
}

static const struct descriptor_file *file_with(const char *symbol)
{
	const struct descriptor_symbol *found =
		bsearch(symbol, descriptor_symbols, descriptor_n_symbols,
			sizeof(descriptor_symbols[0]), by_name);

	return found ? &descriptor_files[found->file] : NULL;
}

static void set_services(struct rpc_call *call, response_msg *response)
{
	Grpc__Reflection__V1__ListServiceResponse *m = MESSAGE(call, list_service_response);

	if (m)
		m->service = rpc_alloc(call, descriptor_n_services * sizeof(*m->service));
	for (size_t i = 0; m && m->service && i < descriptor_n_services; i++) {
		m->service[i] = MESSAGE(call, service_response);
		if (!m->service[i])
			break;
		m->service[i]->name = (char *)descriptor_services[i];
		m->n_service++;
	}
	response->list_services_response = m;
	response->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
}

static void answer(struct rpc_call *call, response_msg *response, const request_msg *request)
{
#define ASKED(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
	switch (request->message_request_case) {
	case ASKED(FILE_BY_FILENAME):
		set_file(call, response, file_named(request->file_by_filename));
		break;
	case ASKED(FILE_CONTAINING_SYMBOL):
		set_file(call, response, file_with(request->file_containing_symbol));
		break;
	case ASKED(LIST_SERVICES): set_services(call, response); break;
	case ASKED(FILE_CONTAINING_EXTENSION):
	case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
		set_error(call, response, PROBLEM_NOT_FOUND, "there are no extensions");
		break;
	default: set_error(call, response, PROBLEM_INVALID_ARGUMENT, "nothing is asked for"); break;
	}
#undef ASKED
}

void reflection_info(struct rpc_call *call)
{
	const request_msg *request = (const void *)rpc_call_request(call);
	response_msg *response = MESSAGE(call, server_reflection_response);

	if (response) {
		response->valid_host = request->host;
		response->original_request = (request_msg *)request;
		answer(call, response, request);
	}
	rpc_send(call, response);
}
