/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/services.h"

#include <stdio.h>
#include <string.h>

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
#include "sluice/v1/stats.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"
#include "sluice/v1/worker.pb-c.h"

/* Beside each method the role that it takes to call it. */
#define ANY_METHOD(service, name, handler, kind, role, shape)                                     \
	{                                                                                         \
		&sluice__v1__##service##_service__descriptor, name, handler, kind, CALLER_##role, \
			RPC_##shape                                                               \
	}
#define KIND_METHOD(service, name, handler, kind, role) \
	ANY_METHOD(service, name, handler, kind, role, UNARY)
#define METHOD(service, name, handler, role) \
	KIND_METHOD(service, name, handler, RESOURCE_KIND_MAX, role)

#define STREAM(service, name, handler, role) \
	ANY_METHOD(service, name, handler, RESOURCE_KIND_MAX, role, SERVER_STREAM)

/* Get, List, ... of a kind: one handler, told what it is about. */
#define STANDARD(service, verb, name, kind) \
	KIND_METHOD(service, name, standard_##verb, RESOURCE_##kind, ROLE_##verb)
#define CALLER_ROLE_get    CALLER_VIEWER
#define CALLER_ROLE_list   CALLER_VIEWER
#define CALLER_ROLE_create CALLER_OPERATOR
#define CALLER_ROLE_update CALLER_OPERATOR
#define CALLER_ROLE_delete CALLER_OPERATOR

static const struct rpc_method methods[] = {
	METHOD(config, "GetConfig", config_get, VIEWER),
	METHOD(config, "ApplyConfig", config_apply, OPERATOR),
	METHOD(config, "ConfirmConfig", config_confirm, OPERATOR),
	METHOD(config, "RollbackConfig", config_rollback, OPERATOR),
	METHOD(config, "DiffConfig", config_diff, VIEWER),
	METHOD(config, "ListConfigRevisions", config_list_revisions, VIEWER),
	METHOD(config, "BackupConfig", config_backup, OPERATOR),
	METHOD(config, "RestoreConfig", config_restore, OPERATOR),

	METHOD(audit, "ListAuditEntries", audit_list, VIEWER),

	STANDARD(virtual_server, get, "GetVirtualServer", VIRTUAL_SERVER),
	STANDARD(virtual_server, list, "ListVirtualServers", VIRTUAL_SERVER),
	STANDARD(virtual_server, create, "CreateVirtualServer", VIRTUAL_SERVER),
	STANDARD(virtual_server, update, "UpdateVirtualServer", VIRTUAL_SERVER),
	STANDARD(virtual_server, delete, "DeleteVirtualServer", VIRTUAL_SERVER),

	STANDARD(backend_pool, get, "GetBackendPool", BACKEND_POOL),
	STANDARD(backend_pool, list, "ListBackendPools", BACKEND_POOL),
	STANDARD(backend_pool, create, "CreateBackendPool", BACKEND_POOL),
	STANDARD(backend_pool, update, "UpdateBackendPool", BACKEND_POOL),
	STANDARD(backend_pool, delete, "DeleteBackendPool", BACKEND_POOL),

	STANDARD(backend_pool, get, "GetBackend", BACKEND),
	STANDARD(backend_pool, list, "ListBackends", BACKEND),
	STANDARD(backend_pool, create, "CreateBackend", BACKEND),
	STANDARD(backend_pool, update, "UpdateBackend", BACKEND),
	STANDARD(backend_pool, delete, "DeleteBackend", BACKEND),

	STANDARD(local_address_pool, get, "GetLocalAddressPool", LOCAL_ADDRESS_POOL),
	STANDARD(local_address_pool, list, "ListLocalAddressPools", LOCAL_ADDRESS_POOL),
	STANDARD(local_address_pool, create, "CreateLocalAddressPool", LOCAL_ADDRESS_POOL),
	STANDARD(local_address_pool, update, "UpdateLocalAddressPool", LOCAL_ADDRESS_POOL),
	STANDARD(local_address_pool, delete, "DeleteLocalAddressPool", LOCAL_ADDRESS_POOL),

	STANDARD(interface, get, "GetInterface", INTERFACE),
	STANDARD(interface, list, "ListInterfaces", INTERFACE),
	STANDARD(interface, update, "UpdateInterface", INTERFACE),

	STANDARD(route, get, "GetRoute", ROUTE),
	STANDARD(route, list, "ListRoutes", ROUTE),
	STANDARD(route, create, "CreateRoute", ROUTE),
	STANDARD(route, update, "UpdateRoute", ROUTE),
	STANDARD(route, delete, "DeleteRoute", ROUTE),

	METHOD(connection, "ListConnections", connection_list, VIEWER),
	METHOD(connection, "DeleteConnections", connection_delete, OPERATOR),
	METHOD(connection, "LookupFlow", connection_lookup_flow, VIEWER),
	METHOD(stats, "GetStats", stats_get, VIEWER),
	STREAM(stats, "WatchStats", stats_watch, VIEWER),
	STREAM(event, "WatchEvents", events_watch, VIEWER),
	METHOD(worker, "ListWorkers", worker_list, VIEWER),
	METHOD(worker, "RestartWorker", worker_restart, OPERATOR),
	METHOD(worker, "ProfileWorker", worker_profile, OPERATOR),

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
