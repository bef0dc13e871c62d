/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration as a whole: as it is, and changing it. Its past is in revision.c. */
#include <errno.h>

#include "ctrl/history.h"
#include "ctrl/image.h"
#include "ctrl/rpc/difference.h"
#include "ctrl/rpc/revision.h"
#include "ctrl/rpc/services.h"
#include "ctrl/rpc/standard.h"
#include "ctrl/rpc/submit.h"
#include "ctrl/upload.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

#define CONFIRM_MAX_S (24 * 3600)

/* Views of all resources of a kind; their number in *n. */
static void *views_of(struct rpc_call *call, enum resource_kind kind, size_t *n)
{
	const struct model *model = rpc_call_ctrl(call)->model;
	const ProtobufCMessage **views = rpc_alloc(call, model->count[kind] * sizeof(*views));

	*n = 0;
	if (!views)
		return NULL;
	for (const struct resource *r = model_after(model, kind, ""); r; r = model_next(r))
		views[(*n)++] = resource_view(call, r);
	return views;
}

static char *etag_of(struct rpc_call *call)
{
	char etag[RESOURCE_ETAG_SIZE];

	return rpc_format(call, "%s", model_etag(rpc_call_ctrl(call)->model, etag));
}

static void reply_current(struct rpc_call *call)
{
	const struct model *model = rpc_call_ctrl(call)->model;
	const struct resource *timeouts =
		model_find(model, RESOURCE_TIMEOUTS, RESOURCE_TIMEOUTS_NAME);
	Sluice__V1__Config *config = rpc_message(call, &sluice__v1__config__descriptor);

	if (config) {
#define VIEWS(kind, field) config->field = views_of(call, kind, &config->n_##field)
		VIEWS(RESOURCE_INTERFACE, interfaces);
		VIEWS(RESOURCE_ROUTE, routes);
		VIEWS(RESOURCE_LOCAL_ADDRESS_POOL, local_address_pools);
		VIEWS(RESOURCE_BACKEND_POOL, backend_pools);
		VIEWS(RESOURCE_VIRTUAL_SERVER, virtual_servers);
		VIEWS(RESOURCE_SNAT_POLICY, snat_policies);
#undef VIEWS
		config->timeouts = timeouts ? (Sluice__V1__Timeouts *)timeouts->message : NULL;
		config->revision = model->revision;
		config->etag = etag_of(call);
	}
	rpc_reply(call, config);
}

void config_get(struct rpc_call *call)
{
	const Sluice__V1__GetConfigRequest *request = (const void *)rpc_call_request(call);

	if (request->revision && request->revision != rpc_call_ctrl(call)->model->revision)
		revision_get(call);
	else
		reply_current(call);
}

/* ---- changing it ---- */

/* The responses of Apply, Rollback and RestoreConfig: the same fields. */
#define FILL(call, response, result, difference)                                          \
	do {                                                                              \
		(response)->revision = (result)->revision;                                \
		(response)->etag = etag_of(call);                                         \
		(response)->created = (result)->created;                                  \
		(response)->updated = (result)->updated;                                  \
		(response)->deleted = (result)->deleted;                                  \
		(response)->changes = (difference)->changes;                              \
		(response)->n_changes = (difference)->n;                                  \
		(response)->confirm_deadline = revision_time(call, (result)->confirm_by); \
	} while (0)

/* Of a dry run: what would change. */
static bool list_changes(struct rpc_call *call, bool validate_only,
			 const struct apply_result *result, struct difference *difference)
{
	*difference = (struct difference){.limit = DIFFERENCE_LISTED};
	return !validate_only || !result->changes ||
	       difference_of_set(call, difference, result->changes);
}

static ProtobufCMessage *apply_response(struct rpc_call *call, const struct apply_result *result)
{
	const Sluice__V1__ApplyConfigRequest *request = (const void *)rpc_call_request(call);
	Sluice__V1__ApplyConfigResponse *response =
		rpc_message(call, &sluice__v1__apply_config_response__descriptor);
	struct difference difference;

	if (!response || !list_changes(call, request->validate_only, result, &difference))
		return NULL;
	FILL(call, response, result, &difference);
	return &response->base;
}

static ProtobufCMessage *rollback_response(struct rpc_call *call, const struct apply_result *result)
{
	const Sluice__V1__RollbackConfigRequest *request = (const void *)rpc_call_request(call);
	Sluice__V1__RollbackConfigResponse *response =
		rpc_message(call, &sluice__v1__rollback_config_response__descriptor);
	struct difference difference;

	if (!response || !list_changes(call, request->validate_only, result, &difference))
		return NULL;
	FILL(call, response, result, &difference);
	return &response->base;
}

static ProtobufCMessage *restore_response(struct rpc_call *call, const struct apply_result *result)
{
	const Sluice__V1__RestoreConfigRequest *request = (const void *)rpc_call_request(call);
	Sluice__V1__RestoreConfigResponse *response =
		rpc_message(call, &sluice__v1__restore_config_response__descriptor);
	struct difference difference;

	if (!response || !list_changes(call, request->validate_only, result, &difference))
		return NULL;
	FILL(call, response, result, &difference);
	return &response->base;
}

/* False: the call has been refused. Parts of a second count as one. */
static bool read_confirm(struct rpc_call *call, const Google__Protobuf__Duration *timeout,
			 struct apply_request *request)
{
	if (!timeout)
		return true;
	if (timeout->seconds < 0 || timeout->nanos < 0 || timeout->seconds > CONFIRM_MAX_S ||
	    (!timeout->seconds && !timeout->nanos)) {
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
			 "confirm_timeout: is not in 1 second to %d hours", CONFIRM_MAX_S / 3600);
		return false;
	}
	request->confirm_s = (uint32_t)timeout->seconds + (timeout->nanos > 0);
	return true;
}

void config_apply(struct rpc_call *call)
{
	const Sluice__V1__ApplyConfigRequest *message = (const void *)rpc_call_request(call);
	struct apply_request request = {
		.op = APPLY_CONFIG,
		.message = (const ProtobufCMessage *)message->config,
		.merge = message->optional_prune_case ==
				 SLUICE__V1__APPLY_CONFIG_REQUEST__OPTIONAL_PRUNE_PRUNE &&
			 !message->prune,
		.comment = message->comment,
	};

	/* An empty configuration is a wish to be said: {"config": {}}. */
	if (!message->config)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "config: missing");
	else if (read_confirm(call, message->confirm_timeout, &request))
		rpc_submit(call, &request, "config", apply_response);
}

void config_rollback(struct rpc_call *call)
{
	const Sluice__V1__RollbackConfigRequest *message = (const void *)rpc_call_request(call);
	struct apply_request request = {
		.op = APPLY_ROLLBACK,
		.revision = message->revision,
		.etag = message->etag,
		.comment = message->comment,
	};

	if (!message->revision)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "revision: is required");
	else if (read_confirm(call, message->confirm_timeout, &request))
		rpc_submit(call, &request, "config", rollback_response);
}

static ProtobufCMessage *confirm_response(struct rpc_call *call, const struct apply_result *result)
{
	Sluice__V1__ConfirmConfigResponse *response =
		rpc_message(call, &sluice__v1__confirm_config_response__descriptor);

	if (response)
		response->revision = result->revision;
	return response ? &response->base : NULL;
}

void config_confirm(struct rpc_call *call)
{
	const Sluice__V1__ConfirmConfigRequest *message = (const void *)rpc_call_request(call);
	struct apply_request request = {.op = APPLY_CONFIRM, .revision = message->revision};

	if (!message->revision)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "revision: is required");
	else
		rpc_submit(call, &request, "config", confirm_response);
}

/* The etags of then say nothing now. */
static void restore(struct rpc_call *call, ProtobufCMessage *config)
{
	const Sluice__V1__RestoreConfigRequest *message = (const void *)rpc_call_request(call);
	struct apply_request request = {
		.op = APPLY_CONFIG,
		.no_etags = true,
		.message = config,
		.comment = message->comment,
	};

	if (read_confirm(call, message->confirm_timeout, &request))
		rpc_submit(call, &request, "config", restore_response);
}

/* It ends with this, unless it is tried only. */
static int read_upload(struct rpc_call *call, struct revision_read *read)
{
	const Sluice__V1__RestoreConfigRequest *message = (const void *)rpc_call_request(call);
	struct upload *upload = history_upload(rpc_call_ctrl(call)->history);
	const char *file = upload_file(upload, message->upload_id, &read->why);
	int rc = file ? image_read_file(file, read->keep[0], &read->why) : -ENOENT;

	if (file && !message->validate_only)
		upload_end(upload);
	return rc;
}

static ProtobufCMessage *read_backup(struct rpc_call *call, struct revision_read *read)
{
	const Sluice__V1__RestoreConfigRequest *message = (const void *)rpc_call_request(call);

	read->then = restore;
	if (*message->upload_id ? read_upload(call, read)
				: image_read(message->database.data, message->database.len,
					     read->keep[0], &read->why))
		return NULL;
	return (ProtobufCMessage *)revision_config(call, read->keep[0]);
}

void config_restore(struct rpc_call *call)
{
	const Sluice__V1__RestoreConfigRequest *message = (const void *)rpc_call_request(call);

	rpc_call_about(call, "config");
	if (message->database.len && *message->upload_id)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
			 "upload_id: is given, and a database, too: one of them");
	else
		revision_run(call, read_backup);
}
