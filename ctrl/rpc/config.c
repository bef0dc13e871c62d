/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration as a whole. */
#include "ctrl/apply.h"
#include "ctrl/rpc/services.h"
#include "ctrl/rpc/standard.h"
#include "sluice/v1/config.pb-c.h"

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

void config_get(struct rpc_call *call)
{
	const struct model *model = rpc_call_ctrl(call)->model;
	const struct resource *timeouts =
		model_find(model, RESOURCE_TIMEOUTS, RESOURCE_TIMEOUTS_NAME);
	Sluice__V1__Config *config = rpc_message(call, &sluice__v1__config__descriptor);
	char etag[RESOURCE_ETAG_SIZE];

	if (config) {
#define VIEWS(kind, field) config->field = views_of(call, kind, &config->n_##field)
		VIEWS(RESOURCE_INTERFACE, interfaces);
		VIEWS(RESOURCE_ROUTE, routes);
		VIEWS(RESOURCE_LOCAL_ADDRESS_POOL, local_address_pools);
		VIEWS(RESOURCE_BACKEND_POOL, backend_pools);
		VIEWS(RESOURCE_VIRTUAL_SERVER, virtual_servers);
#undef VIEWS
		config->timeouts = timeouts ? (Sluice__V1__Timeouts *)timeouts->message : NULL;
		config->revision = model->revision;
		config->etag = rpc_format(call, "%s", model_etag(model, etag));
	}
	rpc_reply(call, config);
}

static void on_applied(void *arg, const struct apply_result *result)
{
	struct rpc_call *call = arg;
	Sluice__V1__ApplyConfigResponse *response;
	char etag[RESOURCE_ETAG_SIZE];

	if (result->problem.code) {
		rpc_fail(call, result->problem.code, "%s", result->problem.text);
		return;
	}
	response = rpc_message(call, &sluice__v1__apply_config_response__descriptor);
	if (response) {
		response->revision = result->revision;
		response->etag =
			rpc_format(call, "%s", model_etag(rpc_call_ctrl(call)->model, etag));
		response->created = result->created;
		response->updated = result->updated;
		response->deleted = result->deleted;
	}
	rpc_reply(call, response);
}

void config_apply(struct rpc_call *call)
{
	const Sluice__V1__ApplyConfigRequest *message = (const void *)rpc_call_request(call);
	struct apply_request request = {
		.op = APPLY_CONFIG,
		.message = (const ProtobufCMessage *)message->config,
		.validate_only = message->validate_only,
		.author = rpc_call_caller(call)->name,
		.comment = message->comment,
	};
	struct problem problem;

	/* An empty configuration is a wish to be said: {"config": {}}. */
	if (!message->config)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "config: missing");
	else if (apply_submit(rpc_call_ctrl(call)->apply, &request, on_applied, call, &problem))
		rpc_fail(call, problem.code, "%s", problem.text);
}
