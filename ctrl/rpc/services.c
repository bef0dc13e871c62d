/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/services.h"

#include <stdio.h>
#include <string.h>

#include <sluice/api_methods.h>

#include "ctrl/rpc/schema.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "sluice/v1/audit.pb-c.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/config.pb-c.h"
#include "sluice/v1/connection.pb-c.h"
#include "sluice/v1/event.pb-c.h"
#include "sluice/v1/interface.pb-c.h"
#include "sluice/v1/local_address_pool.pb-c.h"
#include "sluice/v1/route.pb-c.h"
#include "sluice/v1/snat_policy.pb-c.h"
#include "sluice/v1/stats.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"
#include "sluice/v1/worker.pb-c.h"

#define ANY_METHOD(service, name, handler, kind, role, shape)                                     \
	{                                                                                         \
		&sluice__v1__##service##_service__descriptor, name, handler, kind, CALLER_##role, \
			RPC_##shape                                                               \
	}
#define OF_KIND(service, name, handler, kind, role) \
	ANY_METHOD(service, name, handler, RESOURCE_##kind, role, UNARY),
#define METHOD(service, name, handler, role) \
	ANY_METHOD(service, name, handler, RESOURCE_KIND_MAX, role, UNARY),
#define STREAM(service, name, handler, role) \
	ANY_METHOD(service, name, handler, RESOURCE_KIND_MAX, role, SERVER_STREAM),

/* Get, List, ... of a kind: one handler, told what it is about. */
#define STANDARD(service, verb, name, kind) \
	OF_KIND(service, name, standard_##verb, kind, SL_API_ROLE_##verb)

static const struct rpc_method methods[] = {
	SL_API_METHODS(METHOD, STREAM, STANDARD)

		{&grpc__health__v1__health__descriptor, "Check", health_check, RESOURCE_KIND_MAX,
		 CALLER_VIEWER, RPC_UNARY},
	{&grpc__health__v1__health__descriptor, "Watch", health_watch, RESOURCE_KIND_MAX,
	 CALLER_VIEWER, RPC_SERVER_STREAM},
	{&grpc__reflection__v1__server_reflection__descriptor, "ServerReflectionInfo",
	 reflection_info, RESOURCE_KIND_MAX, CALLER_VIEWER, RPC_BIDI},
	{&grpc__reflection__v1alpha__server_reflection__descriptor, "ServerReflectionInfo",
	 reflection_info, RESOURCE_KIND_MAX, CALLER_VIEWER, RPC_BIDI},
};

#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

const struct rpc_method *rpc_method_find(const char *service, const char *method)
{
	for (size_t i = 0; i < N_METHODS; i++)
		if (!strcmp(methods[i].name, method) && !strcmp(methods[i].service->name, service))
			return &methods[i];
	return NULL;
}

bool rpc_service_exists(const char *name)
{
	for (size_t i = 0; i < N_METHODS; i++)
		if (!strcmp(methods[i].service->name, name))
			return true;
	return false;
}

const ProtobufCMethodDescriptor *rpc_method_types(const struct rpc_method *method)
{
	return protobuf_c_service_descriptor_get_method_by_name(method->service, method->name);
}

static const char *service_unfit(const ProtobufCServiceDescriptor *service)
{
	for (unsigned int i = 0; i < service->n_methods; i++) {
		const ProtobufCMethodDescriptor *types = &service->methods[i];
		const char *why = rpc_method_find(service->name, types->name) ? NULL : "no handler";

		why = why ?: schema_unfit(types->input);
		why = why ?: schema_unfit(types->output);
		if (why) {
			static char text[160];

			snprintf(text, sizeof(text), "%s.%s: %s", service->name, types->name, why);
			return text;
		}
	}
	return NULL;
}

const char *rpc_services_unfit(void)
{
	const char *why = NULL;

	for (size_t i = 0; i < N_METHODS && !why; i++)
		why = rpc_method_types(&methods[i]) ? service_unfit(methods[i].service)
						    : "a handler for a method that the API lacks";
	return why;
}
