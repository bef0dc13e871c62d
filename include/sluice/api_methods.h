/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The methods of the API and who may call each: one list, of which the daemon makes the table that
 * it serves by, and sluicectl the roles that its help names.
 *
 *   METHOD(service, name, handler, role)    one answer
 *   STREAM(service, name, handler, role)    a stream of answers
 *   STANDARD(service, verb, name, kind)     get, list, ... of a kind of resource; the verb says who
 */
#ifndef SL_API_METHODS_H
#define SL_API_METHODS_H

#define SL_API_ROLE_get    VIEWER
#define SL_API_ROLE_list   VIEWER
#define SL_API_ROLE_create OPERATOR
#define SL_API_ROLE_update OPERATOR
#define SL_API_ROLE_delete OPERATOR

/* clang-format off */
#define SL_API_METHODS(METHOD, STREAM, STANDARD)                                               \
	METHOD(config, "GetConfig", config_get, VIEWER)                                        \
	METHOD(config, "ApplyConfig", config_apply, OPERATOR)                                  \
	METHOD(config, "ConfirmConfig", config_confirm, OPERATOR)                              \
	METHOD(config, "RollbackConfig", config_rollback, OPERATOR)                            \
	METHOD(config, "DiffConfig", config_diff, VIEWER)                                      \
	METHOD(config, "ListConfigRevisions", config_list_revisions, VIEWER)                   \
	METHOD(config, "BackupConfig", config_backup, OPERATOR)                                \
	METHOD(config, "UploadBackup", config_upload, OPERATOR)                                \
	METHOD(config, "RestoreConfig", config_restore, OPERATOR)                              \
	METHOD(audit, "ListAuditEntries", audit_list, VIEWER)                                  \
	STANDARD(virtual_server, get, "GetVirtualServer", VIRTUAL_SERVER)                      \
	STANDARD(virtual_server, list, "ListVirtualServers", VIRTUAL_SERVER)                   \
	STANDARD(virtual_server, create, "CreateVirtualServer", VIRTUAL_SERVER)                \
	STANDARD(virtual_server, update, "UpdateVirtualServer", VIRTUAL_SERVER)                \
	STANDARD(virtual_server, delete, "DeleteVirtualServer", VIRTUAL_SERVER)                \
	STANDARD(backend_pool, get, "GetBackendPool", BACKEND_POOL)                            \
	STANDARD(backend_pool, list, "ListBackendPools", BACKEND_POOL)                         \
	STANDARD(backend_pool, create, "CreateBackendPool", BACKEND_POOL)                      \
	STANDARD(backend_pool, update, "UpdateBackendPool", BACKEND_POOL)                      \
	STANDARD(backend_pool, delete, "DeleteBackendPool", BACKEND_POOL)                      \
	STANDARD(backend_pool, get, "GetBackend", BACKEND)                                     \
	STANDARD(backend_pool, list, "ListBackends", BACKEND)                                  \
	STANDARD(backend_pool, create, "CreateBackend", BACKEND)                               \
	STANDARD(backend_pool, update, "UpdateBackend", BACKEND)                               \
	STANDARD(backend_pool, delete, "DeleteBackend", BACKEND)                               \
	STANDARD(local_address_pool, get, "GetLocalAddressPool", LOCAL_ADDRESS_POOL)           \
	STANDARD(local_address_pool, list, "ListLocalAddressPools", LOCAL_ADDRESS_POOL)        \
	STANDARD(local_address_pool, create, "CreateLocalAddressPool", LOCAL_ADDRESS_POOL)     \
	STANDARD(local_address_pool, update, "UpdateLocalAddressPool", LOCAL_ADDRESS_POOL)     \
	STANDARD(local_address_pool, delete, "DeleteLocalAddressPool", LOCAL_ADDRESS_POOL)     \
	STANDARD(interface, get, "GetInterface", INTERFACE)                                    \
	STANDARD(interface, list, "ListInterfaces", INTERFACE)                                 \
	STANDARD(interface, update, "UpdateInterface", INTERFACE)                              \
	STANDARD(route, get, "GetRoute", ROUTE)                                                \
	STANDARD(route, list, "ListRoutes", ROUTE)                                             \
	STANDARD(route, create, "CreateRoute", ROUTE)                                          \
	STANDARD(route, update, "UpdateRoute", ROUTE)                                          \
	STANDARD(route, delete, "DeleteRoute", ROUTE)                                          \
	STANDARD(snat_policy, get, "GetSnatPolicy", SNAT_POLICY)                               \
	STANDARD(snat_policy, list, "ListSnatPolicies", SNAT_POLICY)                           \
	STANDARD(snat_policy, create, "CreateSnatPolicy", SNAT_POLICY)                         \
	STANDARD(snat_policy, update, "UpdateSnatPolicy", SNAT_POLICY)                         \
	STANDARD(snat_policy, delete, "DeleteSnatPolicy", SNAT_POLICY)                         \
	METHOD(connection, "ListConnections", connection_list, VIEWER)                         \
	METHOD(connection, "DeleteConnections", connection_delete, OPERATOR)                   \
	METHOD(connection, "LookupFlow", connection_lookup_flow, VIEWER)                       \
	METHOD(stats, "GetStats", stats_get, VIEWER)                                           \
	STREAM(stats, "WatchStats", stats_watch, VIEWER)                                       \
	STREAM(event, "WatchEvents", events_watch, VIEWER)                                     \
	METHOD(worker, "ListWorkers", worker_list, VIEWER)                                     \
	METHOD(worker, "RestartWorker", worker_restart, OPERATOR)                              \
	METHOD(worker, "DrainWorker", worker_drain, OPERATOR)                                  \
	METHOD(worker, "ResumeWorker", worker_resume, OPERATOR)                                \
	METHOD(worker, "ProfileWorker", worker_profile, OPERATOR)
/* clang-format on */

#endif
