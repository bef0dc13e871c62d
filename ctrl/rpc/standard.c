/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Get, List, Create, Update and Delete, written once for all kinds of resource. The requests and
 * responses of the kinds have the same fields by the same names, which is how they are read
 * here: `name`, the resource itself, `backend_pool` (a backend's parent), `etag`,
 * `validate_only`, `page_size`, `page_token`.
 */
#include "ctrl/rpc/standard.h"

#include <string.h>

#include "ctrl/rpc/page.h"
#include "ctrl/rpc/reflect.h"
#include "ctrl/rpc/schema.h"
#include "ctrl/rpc/services.h"
#include "ctrl/rpc/submit.h"
#include "google/protobuf/field_mask.pb-c.h"

static enum resource_kind kind_of(const struct rpc_call *call)
{
	return rpc_call_method(call)->kind;
}

/* The parent's name in the request; NULL when the kind has no parent. */
static const char *pool_of(const struct rpc_call *call)
{
	if (kind_of(call) != RESOURCE_BACKEND)
		return NULL;
	return reflect_string(rpc_call_request(call), "backend_pool");
}

/* The model's name of the resource that the request calls so. Returns `out` or `name`. */
static const char *full_name(const struct rpc_call *call, const char *name, char *out)
{
	const char *pool = pool_of(call);

	return pool ? resource_backend_name(pool, name, out) : name;
}

const ProtobufCMessage *resource_view(struct rpc_call *call, const struct resource *resource)
{
	switch (resource->kind) {
	case RESOURCE_BACKEND_POOL: return backend_pool_view(call, resource);
	case RESOURCE_INTERFACE: return interface_view(call, resource);
	default: return resource->message;
	}
}

static void fail_not_found(struct rpc_call *call, enum resource_kind kind, const char *name)
{
	char path[RESOURCE_PATH_SIZE];

	rpc_fail(call, PROBLEM_NOT_FOUND, "%s: not found", resource_path(kind, name, path));
}

static void reply_resource(struct rpc_call *call, const char *own_name)
{
	char buffer[RESOURCE_NAME_SIZE];
	const char *name = full_name(call, own_name, buffer);
	const struct resource *resource =
		model_find(rpc_call_ctrl(call)->model, kind_of(call), name);

	if (resource)
		rpc_reply(call, resource_view(call, resource));
	else
		fail_not_found(call, kind_of(call), name);
}

void standard_get(struct rpc_call *call)
{
	reply_resource(call, reflect_string(rpc_call_request(call), "name"));
}

/* ---- lists ---- */

/* A page token is the name of the last resource of the page before. */
static bool is_page_token(const char *token)
{
	return strlen(token) <= RESOURCE_NAME_MAX &&
	       !token[strspn(token, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

static const struct resource *list_first(const struct rpc_call *call, const char *token)
{
	const struct model *model = rpc_call_ctrl(call)->model;
	const char *pool = pool_of(call);
	char name[RESOURCE_NAME_SIZE];
	const struct resource *first;

	if (!pool)
		return model_after(model, kind_of(call), token);
	if (!*token)
		return model_backends(model, pool);
	first = model_after(model, RESOURCE_BACKEND, resource_backend_name(pool, token, name));
	return first && resource_in_pool(first, pool) ? first : NULL;
}

static const struct resource *list_next(const struct rpc_call *call, const struct resource *r)
{
	return pool_of(call) ? model_next_backend(r) : model_next(r);
}

/* Up to a page of messages from *r on, which moves behind them. */
static void fill_page(struct rpc_call *call, ProtobufCMessage *response, size_t size,
		      const struct resource *r)
{
	const ProtobufCMessage **page = rpc_alloc(call, size * sizeof(*page));
	const char *last = "";
	size_t n = 0;

	while (page && r && n < size) {
		page[n++] = resource_view(call, r);
		last = reflect_string(r->message, "name");
		r = list_next(call, r);
	}
	reflect_set_list(response, page, n);
	if (r)
		reflect_set_string(response, "next_page_token", last);
}

void standard_list(struct rpc_call *call)
{
	const ProtobufCMessage *request = rpc_call_request(call);
	const char *token = reflect_string(request, "page_token"), *pool = pool_of(call);
	size_t size = reflect_uint32(request, "page_size") ?: PAGE_SIZE;
	ProtobufCMessage *response =
		rpc_message(call, rpc_method_types(rpc_call_method(call))->output);

	if (!is_page_token(token)) {
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "page_token: not one of this API");
		return;
	}
	if (pool && !model_find(rpc_call_ctrl(call)->model, RESOURCE_BACKEND_POOL, pool)) {
		fail_not_found(call, RESOURCE_BACKEND_POOL, pool);
		return;
	}
	if (response)
		fill_page(call, response, size < PAGE_SIZE_MAX ? size : PAGE_SIZE_MAX,
			  list_first(call, token));
	rpc_reply(call, response);
}

/* ---- changes ---- */

/* "virtual_servers[web]", for the audit log. */
static const char *path_of(struct rpc_call *call, const char *own_name)
{
	char name[RESOURCE_NAME_SIZE], path[RESOURCE_PATH_SIZE];

	return rpc_format(call, "%s",
			  resource_path(kind_of(call), full_name(call, own_name, name), path));
}

static void submit(struct rpc_call *call, struct apply_request *request, const char *name,
		   submit_response_fn response)
{
	request->kind = kind_of(call);
	request->pool = pool_of(call);
	rpc_submit(call, request, path_of(call, name), response);
}

/* The model holds the resource as stored, or as it would be if it were not validate_only. */
static ProtobufCMessage *put_response(struct rpc_call *call, const struct apply_result *result)
{
	const char *field;
	const ProtobufCMessage *resource = reflect_child(rpc_call_request(call), &field);
	char name[RESOURCE_NAME_SIZE];

	(void)result;
	return (ProtobufCMessage *)resource_view(
		call, model_find(rpc_call_ctrl(call)->model, kind_of(call),
				 full_name(call, reflect_string(resource, "name"), name)));
}

/* The mask's paths between commas; NULL: none is given; "": too many, or of nothing. */
static const char *mask_of(struct rpc_call *call)
{
	const Google__Protobuf__FieldMask *mask =
		(const void *)reflect_message(rpc_call_request(call), "update_mask");
	const char *text = "";

	if (!mask || !mask->n_paths)
		return NULL;
	for (size_t i = 0; i < mask->n_paths && text && mask->n_paths <= SCHEMA_FIELDS_MAX; i++)
		text = rpc_format(call, "%s%s%s", text, *text ? "," : "", mask->paths[i]);
	return text ?: "";
}

static void put(struct rpc_call *call, enum apply_op op)
{
	const char *field = "";
	const ProtobufCMessage *resource = reflect_child(rpc_call_request(call), &field);
	struct apply_request request = {.op = op, .message = resource, .mask = mask_of(call)};

	if (request.mask && !*request.mask)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
			 "update_mask: is longer than a mask can be");
	else if (resource)
		submit(call, &request, reflect_string(resource, "name"), put_response);
	else
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "%s: missing", field);
}

void standard_create(struct rpc_call *call)
{
	put(call, APPLY_CREATE);
}

void standard_update(struct rpc_call *call)
{
	put(call, APPLY_UPDATE);
}

static ProtobufCMessage *delete_response(struct rpc_call *call, const struct apply_result *result)
{
	(void)result;
	return rpc_message(call, rpc_method_types(rpc_call_method(call))->output);
}

void standard_delete(struct rpc_call *call)
{
	const ProtobufCMessage *message = rpc_call_request(call);
	struct apply_request request = {
		.op = APPLY_DELETE,
		.name = reflect_string(message, "name"),
		.etag = reflect_string(message, "etag"),
	};

	submit(call, &request, request.name, delete_response);
}
