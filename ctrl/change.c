/* SPDX-License-Identifier: BSD-3-Clause */
/* Resolving a request: what it means. What replaces more than one resource is merged. */
#include "ctrl/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/change_merge.h"
#include "ctrl/mask.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/config.pb-c.h"
#include "sluice/v1/snat_policy.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"

static int no_memory(struct problem *why)
{
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
}

static int check_etag(const struct model *model, const struct resource *now,
		      enum resource_kind kind, const char *name, const char *etag,
		      struct problem *why)
{
	char current[RESOURCE_ETAG_SIZE], path[RESOURCE_PATH_SIZE];

	if (!etag || !*etag)
		return 0;
	resource_path(kind, name, path);
	if (!now)
		return problem_set(why, PROBLEM_ABORTED, "%s.etag: is \"%.32s\", but it is gone",
				   path, etag);
	if (kind == RESOURCE_BACKEND_POOL)
		model_pool_etag(model, now, current);
	else
		memcpy(current, now->etag, sizeof(current));
	if (!strcmp(etag, current))
		return 0;
	return problem_set(why, PROBLEM_ABORTED,
			   "%s.etag: is \"%.32s\", but it was changed meanwhile and has \"%s\"",
			   path, etag, current);
}

/* Make the resource, compare the message's etag, and put it on the batch. */
static int batch_new(struct change_set *set, struct change_batch *batch, enum resource_kind kind,
		     const char *pool, const void *message, struct problem *why)
{
	struct resource *r = resource_new(kind, pool, message, why);
	const char *etag = resource_message_etag(message);
	int rc = 0;

	if (!r)
		return -EINVAL;
	if (*etag && !set->no_etags) /* few have one, and there may be many */
		rc = check_etag(set->model, model_find(set->model, kind, r->name), kind, r->name,
				etag, why);
	if (!rc && change_batch_add(batch, r))
		rc = no_memory(why);
	if (rc)
		resource_free(r);
	return rc;
}

static int batch_backends(struct change_set *set, struct change_batch *batch,
			  const Sluice__V1__BackendPool *pool, struct problem *why)
{
	int rc = 0;

	for (size_t i = 0; i < pool->n_backends && !rc; i++)
		rc = batch_new(set, batch, RESOURCE_BACKEND, pool->name, pool->backends[i], why);
	return rc;
}

static int replace_backends(struct change_set *set, const Sluice__V1__BackendPool *pool,
			    struct problem *why)
{
	struct change_batch batch = {0};
	int rc = batch_backends(set, &batch, pool, why);

	if (!rc)
		rc = change_merge(set, &batch, model_backends(set->model, pool->name), pool->name,
				  why);
	change_batch_free(&batch);
	return rc;
}

/* What is there of the name in a request's message; NULL: nothing. */
static const struct resource *find_named(const struct change_set *set,
					 const struct apply_request *q)
{
	char full[RESOURCE_NAME_SIZE];
	const char *name = resource_message_name(q->message);

	if (q->kind == RESOURCE_BACKEND)
		name = resource_backend_name(q->pool, name, full);
	return model_find(set->model, q->kind, name);
}

/*
 * The resource that a request asks for. With a mask, what that doesn't name is as it is, and in the
 * request it need not even be right.
 */
static struct resource *wanted(const struct change_set *set, const struct apply_request *q,
			       struct problem *why)
{
	const struct resource *now = q->mask ? find_named(set, q) : NULL;
	struct resource *r = NULL;
	void *message;

	if (!now)
		return resource_new(q->kind, q->pool, q->message, why);
	message = malloc(q->message->descriptor->sizeof_message);
	if (!message)
		no_memory(why);
	else if (!mask_merge(q->kind, q->mask, now->message, q->message, message, why))
		r = resource_new(q->kind, q->pool, message, why);
	free(message);
	return r;
}

/* Create or update. */
static int resolve_one(struct change_set *set, const struct apply_request *q, struct problem *why)
{
	struct resource *r = wanted(set, q, why);
	char path[RESOURCE_PATH_SIZE];
	const struct resource *now;
	int rc = 0;

	if (!r)
		return -EINVAL;
	now = model_find(set->model, q->kind, r->name);
	resource_path(q->kind, r->name, path);
	if (q->kind == RESOURCE_BACKEND && !model_find(set->model, RESOURCE_BACKEND_POOL, q->pool))
		rc = problem_set(why, PROBLEM_NOT_FOUND, "backend_pools[%s]: does not exist",
				 q->pool);
	else if (q->op == APPLY_CREATE && now)
		rc = problem_set(why, PROBLEM_ALREADY_EXISTS, "%s: exists", path);
	else if (q->op == APPLY_UPDATE && !now)
		rc = problem_set(why, PROBLEM_NOT_FOUND, "%s: does not exist", path);
	else if (q->op == APPLY_UPDATE)
		rc = check_etag(set->model, now, q->kind, r->name,
				resource_message_etag(q->message), why);
	if (rc) {
		resource_free(r);
		return rc;
	}
	rc = change_add(set, now, r, why);
	if (!rc && q->kind == RESOURCE_BACKEND_POOL && (!q->mask || mask_has(q->mask, "backends")))
		rc = replace_backends(set, (const Sluice__V1__BackendPool *)q->message, why);
	return rc;
}

static int check_no_snat(const struct model *model, const char *name, struct problem *why)
{
	const struct resource *r = model_after(model, RESOURCE_SNAT_POLICY, "");

	for (; r; r = model_next(r))
		if (!strcmp(((const Sluice__V1__SnatPolicy *)(const void *)r->message)
				    ->local_address_pool,
			    name))
			return problem_set(why, PROBLEM_FAILED_PRECONDITION,
					   "local address pool %s is used by SNAT policy %s", name,
					   r->name);
	return 0;
}

/* Why a pool can't go: a virtual server or SNAT policy that uses it. */
static int check_unused(const struct model *model, enum resource_kind kind, const char *name,
			struct problem *why)
{
	const struct resource *r = model_after(model, RESOURCE_VIRTUAL_SERVER, "");
	bool backends = kind == RESOURCE_BACKEND_POOL;

	if (!backends && kind != RESOURCE_LOCAL_ADDRESS_POOL)
		return 0;
	for (; r; r = model_next(r)) {
		const Sluice__V1__VirtualServer *m = (const void *)r->message;

		if (!strcmp(backends ? m->backend_pool : m->local_address_pool, name))
			return problem_set(why, PROBLEM_FAILED_PRECONDITION,
					   "%s pool %s is used by virtual server %s",
					   backends ? "backend" : "local address", name, r->name);
	}
	return backends ? 0 : check_no_snat(model, name, why);
}

static int resolve_delete(struct change_set *set, const struct apply_request *q,
			  struct problem *why)
{
	char full[RESOURCE_NAME_SIZE], path[RESOURCE_PATH_SIZE];
	const char *name = q->name;
	const struct resource *now;
	int rc;

	if (q->kind == RESOURCE_BACKEND)
		name = resource_backend_name(q->pool, q->name, full);
	now = model_find(set->model, q->kind, name);
	if (!now)
		return problem_set(why, PROBLEM_NOT_FOUND, "%s: does not exist",
				   resource_path(q->kind, name, path));
	rc = check_etag(set->model, now, q->kind, name, q->etag, why);
	if (!rc)
		rc = check_unused(set->model, q->kind, name, why);
	if (!rc)
		rc = change_add(set, now, NULL, why);
	if (q->kind != RESOURCE_BACKEND_POOL)
		return rc;
	for (const struct resource *b = model_backends(set->model, name); b && !rc;
	     b = model_next_backend(b))
		rc = change_add(set, b, NULL, why);
	return rc;
}

/* Put the sorted batch into what the model has, of which nothing goes. */
static int put(struct change_set *set, struct change_batch *batch, struct problem *why)
{
	int rc = change_batch_sort(batch, why);

	for (size_t i = 0; i < batch->n && !rc; i++) {
		struct resource *r = batch->list[i];

		batch->list[i] = NULL;
		rc = change_add(set, model_find(set->model, r->kind, r->name), r, why);
	}
	return rc;
}

/* What a Config says of a kind, for the whole kind or as far as it goes. */
static int finish_kind(struct change_set *set, enum resource_kind kind, struct change_batch *batch,
		       bool keep, struct problem *why)
{
	return keep ? put(set, batch, why)
		    : change_merge(set, batch, model_after(set->model, kind, ""), NULL, why);
}

/* By a Config's repeated field. */
static int replace_kind(struct change_set *set, enum resource_kind kind, void *const *messages,
			size_t n, bool keep, struct problem *why)
{
	struct change_batch batch = {0};
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = batch_new(set, &batch, kind, NULL, messages[i], why);
	if (!rc)
		rc = finish_kind(set, kind, &batch, keep, why);
	change_batch_free(&batch);
	return rc;
}

static int replace_all_backends(struct change_set *set, const Sluice__V1__Config *config, bool keep,
				struct problem *why)
{
	struct change_batch batch = {0};
	int rc = 0;

	for (size_t i = 0; i < config->n_backend_pools && !rc; i++)
		rc = batch_backends(set, &batch, config->backend_pools[i], why);
	if (!rc)
		rc = finish_kind(set, RESOURCE_BACKEND, &batch, keep, why);
	change_batch_free(&batch);
	return rc;
}

static int check_whole_etag(const struct model *model, const char *etag, struct problem *why)
{
	char current[RESOURCE_ETAG_SIZE];

	model_etag(model, current);
	if (!etag || !*etag || !strcmp(etag, current))
		return 0;
	return problem_set(why, PROBLEM_ABORTED,
			   "etag: is \"%.32s\", but the configuration was changed meanwhile and "
			   "has \"%s\"",
			   etag, current);
}

static int resolve_config(struct change_set *set, const Sluice__V1__Config *config, bool keep,
			  struct problem *why)
{
	int rc = check_whole_etag(set->model, config->etag, why);

	if (rc)
		return rc;
#define REPLACE(kind, field)                                                                      \
	replace_kind(set, RESOURCE_##kind, (void *const *)config->field, config->n_##field, keep, \
		     why)
	(void)((rc = REPLACE(INTERFACE, interfaces)) || (rc = REPLACE(ROUTE, routes)) ||
	       (rc = REPLACE(LOCAL_ADDRESS_POOL, local_address_pools)) ||
	       (rc = REPLACE(BACKEND_POOL, backend_pools)) ||
	       (rc = replace_all_backends(set, config, keep, why)) ||
	       (rc = REPLACE(VIRTUAL_SERVER, virtual_servers)) ||
	       (rc = REPLACE(SNAT_POLICY, snat_policies)) ||
	       (rc = replace_kind(set, RESOURCE_TIMEOUTS, (void *const *)&config->timeouts,
				  config->timeouts != NULL, keep, why)));
#undef REPLACE
	return rc;
}

int change_resolve(struct change_set *set, struct model *model, const struct apply_request *q,
		   struct problem *why)
{
	*set = (struct change_set){.model = model, .no_etags = q->no_etags};
	switch (q->op) {
	case APPLY_CREATE:
	case APPLY_UPDATE: return resolve_one(set, q, why);
	case APPLY_DELETE: return resolve_delete(set, q, why);
	case APPLY_CONFIG: return resolve_config(set, (const void *)q->message, q->merge, why);
	case APPLY_ROLLBACK: /* change_resolve_past */
	case APPLY_CONFIRM:
	case APPLY_NOTHING: break;
	}
	return 0;
}

/* The resources of one kind move from the list to the batch. */
static int batch_kind(struct change_batch *batch, enum resource_kind kind, struct past *past,
		      size_t *i, struct problem *why)
{
	for (; *i < past->n && past->list[*i]->kind == kind; ++*i) {
		if (change_batch_add(batch, past->list[*i]))
			return no_memory(why);
		past->list[*i] = NULL;
	}
	return 0;
}

int change_resolve_past(struct change_set *set, struct model *model, struct past *past,
			const char *etag, struct problem *why)
{
	size_t i = 0;
	int rc;

	*set = (struct change_set){.model = model};
	rc = check_whole_etag(model, etag, why);
	for (int kind = 0; kind < RESOURCE_KIND_MAX && !rc; kind++) {
		struct change_batch batch = {0};

		rc = batch_kind(&batch, kind, past, &i, why);
		if (!rc)
			rc = finish_kind(set, kind, &batch, false, why);
		change_batch_free(&batch);
	}
	return rc;
}
