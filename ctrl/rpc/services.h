/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of the API, and who handles each. */
#ifndef CTRL_RPC_SERVICES_H
#define CTRL_RPC_SERVICES_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "ctrl/resource.h"
#include "ctrl/rpc/caller.h"

struct rpc_call;

/* How many messages go which way. */
enum rpc_shape {
	RPC_UNARY,
	RPC_SERVER_STREAM,
	RPC_BIDI, /* `handle` runs for each message */
};

struct rpc_method {
	const ProtobufCServiceDescriptor *service;
	const char *name;
	void (*handle)(struct rpc_call *call);
	enum resource_kind kind; /* of the standard methods: what they are about */
	enum caller_role role;   /* who may call it: this one and those above */
	enum rpc_shape shape;
};

/* NULL when no service of that (full) name has such a method. */
const struct rpc_method *rpc_method_find(const char *service, const char *method);

/* Is there a service of that full name? */
bool rpc_service_exists(const char *name);

/* The method's types. */
const ProtobufCMethodDescriptor *rpc_method_types(const struct rpc_method *method);

/*
 * NULL when every method of the .proto has a handler and its types are what the codecs can do;
 * else a sentence. Asked once at start.
 */
const char *rpc_services_unfit(void);

/* standard.c: by the method's kind */
void standard_get(struct rpc_call *call);
void standard_list(struct rpc_call *call);
void standard_create(struct rpc_call *call);
void standard_update(struct rpc_call *call);
void standard_delete(struct rpc_call *call);

/* config.c */
void config_get(struct rpc_call *call);
void config_apply(struct rpc_call *call);
void config_rollback(struct rpc_call *call);
void config_confirm(struct rpc_call *call);
void config_restore(struct rpc_call *call);

/* revision.c */
void config_diff(struct rpc_call *call);
void config_list_revisions(struct rpc_call *call);

/* backup.c */
void config_backup(struct rpc_call *call);
void config_upload(struct rpc_call *call);

/* audit.c */
void audit_list(struct rpc_call *call);

/* connection.c */
void connection_list(struct rpc_call *call);

/* delete_connections.c */
void connection_delete(struct rpc_call *call);

/* lookup_flow.c */
void connection_lookup_flow(struct rpc_call *call);

/* get_stats.c */
void stats_get(struct rpc_call *call);

/* watch_stats.c */
void stats_watch(struct rpc_call *call);

/* watch_events.c */
void events_watch(struct rpc_call *call);

/* worker.c */
void worker_list(struct rpc_call *call);
void worker_restart(struct rpc_call *call);

/* drain_worker.c */
void worker_drain(struct rpc_call *call);
void worker_resume(struct rpc_call *call);

/* profile.c */
void worker_profile(struct rpc_call *call);

/* health.c */
void health_check(struct rpc_call *call);
void health_watch(struct rpc_call *call);

/* reflection.c */
void reflection_info(struct rpc_call *call);

#endif
