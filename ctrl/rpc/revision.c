/* SPDX-License-Identifier: BSD-3-Clause */
/* Past configurations: shown, compared, listed. */
#include "ctrl/rpc/revision.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/history.h"
#include "ctrl/image.h"
#include "ctrl/rpc/difference.h"
#include "ctrl/rpc/page.h"
#include "ctrl/rpc/services.h"
#include "ctrl/store_read.h"

#define CHANGES_MAX 100000

/* ---- in the background ---- */

struct reading {
	struct background_task task;
	struct rpc_call *call;
	revision_read_fn fn;
	struct revision_read read;
	struct past past[2];
	ProtobufCMessage *response;
};

static struct reading *reading_of(struct background_task *task)
{
	return (struct reading *)((char *)task - offsetof(struct reading, task));
}

static void work_read(struct background_task *task)
{
	struct reading *r = reading_of(task);

	r->response = r->fn(r->call, &r->read);
}

static void on_read(struct background_task *task)
{
	struct reading *r = reading_of(task);

	if (r->read.why.code)
		rpc_fail(r->call, r->read.why.code, "%s", r->read.why.text);
	else if (r->read.then && r->response)
		r->read.then(r->call, r->response);
	else
		rpc_reply(r->call, r->response);
	past_free(&r->past[0]);
	past_free(&r->past[1]);
	image_free(r->read.image);
	free(r);
}

void revision_run(struct rpc_call *call, revision_read_fn fn)
{
	struct history *history = rpc_call_ctrl(call)->history;
	struct reading *r = calloc(1, sizeof(*r));

	if (!r) {
		rpc_reply(call, NULL);
		return;
	}
	r->call = call;
	r->fn = fn;
	r->task.work = work_read;
	r->task.done = on_read;
	r->read.db = history_database(history);
	r->read.keep[0] = &r->past[0];
	r->read.keep[1] = &r->past[1];
	history_run(history, &r->task);
}

Google__Protobuf__Timestamp *revision_time(struct rpc_call *call, uint64_t seconds)
{
	Google__Protobuf__Timestamp *t =
		seconds ? rpc_message(call, &google__protobuf__timestamp__descriptor) : NULL;

	if (t)
		t->seconds = (int64_t)seconds;
	return t;
}

/* ---- a past configuration ---- */

/* Resources of one kind from *i on, as messages. */
static void *messages_of(struct rpc_call *call, const struct past *past, enum resource_kind kind,
			 size_t *n)
{
	ProtobufCMessage **messages;

	*n = 0;
	for (size_t i = 0; i < past->n; i++)
		*n += past->list[i]->kind == kind;
	messages = rpc_alloc(call, *n * sizeof(*messages));
	*n = 0;
	for (size_t i = 0; messages && i < past->n; i++)
		if (past->list[i]->kind == kind)
			messages[(*n)++] = past->list[i]->message;
	return messages;
}

/* A pool's backends stand together, where this says; `backend` are the n that there are. */
static size_t first_of_pool(struct resource *const *backend, size_t n, const char *pool)
{
	char prefix[RESOURCE_NAME_SIZE];
	size_t first = 0;

	resource_backend_name(pool, "", prefix);
	while (n) {
		size_t half = n / 2;

		if (strcmp(backend[first + half]->name, prefix) < 0) {
			first += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return first;
}

/* Pools are shown with their backends. */
static bool fill_pools(struct rpc_call *call, const struct past *past, Sluice__V1__Config *config)
{
	size_t n, offset = 0;
	Sluice__V1__Backend **backends = messages_of(call, past, RESOURCE_BACKEND, &n);

	while (offset < past->n && past->list[offset]->kind != RESOURCE_BACKEND)
		offset++;
	for (size_t p = 0; backends && p < config->n_backend_pools; p++) {
		Sluice__V1__BackendPool *pool =
			rpc_message(call, &sluice__v1__backend_pool__descriptor);
		size_t first;

		if (!pool)
			return false;
		*pool = *config->backend_pools[p]; /* stored without backends */
		first = first_of_pool(past->list + offset, n, pool->name);
		pool->backends = backends + first;
		while (first + pool->n_backends < n &&
		       resource_in_pool(past->list[offset + first + pool->n_backends], pool->name))
			pool->n_backends++;
		config->backend_pools[p] = pool;
	}
	return backends != NULL;
}

Sluice__V1__Config *revision_config(struct rpc_call *call, const struct past *past)
{
	Sluice__V1__Config *config = rpc_message(call, &sluice__v1__config__descriptor);

	if (!config)
		return NULL;
#define MESSAGES(kind, field) \
	config->field = messages_of(call, past, RESOURCE_##kind, &config->n_##field)
	MESSAGES(INTERFACE, interfaces);
	MESSAGES(ROUTE, routes);
	MESSAGES(LOCAL_ADDRESS_POOL, local_address_pools);
	MESSAGES(BACKEND_POOL, backend_pools);
	MESSAGES(VIRTUAL_SERVER, virtual_servers);
	MESSAGES(SNAT_POLICY, snat_policies);
#undef MESSAGES
	for (size_t i = 0; i < past->n; i++)
		if (past->list[i]->kind == RESOURCE_TIMEOUTS)
			config->timeouts = (Sluice__V1__Timeouts *)past->list[i]->message;
	config->revision = past->revision;
	return fill_pools(call, past, config) ? config : NULL;
}

static ProtobufCMessage *read_config(struct rpc_call *call, struct revision_read *read)
{
	const Sluice__V1__GetConfigRequest *request = (const void *)rpc_call_request(call);
	struct past *past = read->keep[0];

	if (past_read(read->db, request->revision, past, &read->why))
		return NULL;
	return (ProtobufCMessage *)revision_config(call, past);
}

void revision_get(struct rpc_call *call)
{
	revision_run(call, read_config);
}

/* ---- differences ---- */

static bool prunes(const Sluice__V1__DiffConfigRequest *request)
{
	return request->optional_prune_case !=
		       SLUICE__V1__DIFF_CONFIG_REQUEST__OPTIONAL_PRUNE_PRUNE ||
	       request->prune;
}

/* What a Config would be merged into is the base, whichever that is. */
static int read_target(const Sluice__V1__DiffConfigRequest *request, struct revision_read *read)
{
	if (request->target_case == SLUICE__V1__DIFF_CONFIG_REQUEST__TARGET_CONFIG)
		return past_from_config(&request->config->base,
					prunes(request) ? NULL : read->keep[0], read->keep[1],
					&read->why);
	return past_read(read->db,
			 request->target_case == SLUICE__V1__DIFF_CONFIG_REQUEST__TARGET_REVISION
				 ? request->revision
				 : 0,
			 read->keep[1], &read->why);
}

static ProtobufCMessage *read_difference(struct rpc_call *call, struct revision_read *read)
{
	const Sluice__V1__DiffConfigRequest *request = (const void *)rpc_call_request(call);
	Sluice__V1__DiffConfigResponse *response =
		rpc_message(call, &sluice__v1__diff_config_response__descriptor);
	struct difference d = {.limit = request->max_changes ?: DIFFERENCE_LISTED};

	if (!response || past_read(read->db, request->base_revision, read->keep[0], &read->why) ||
	    read_target(request, read) ||
	    !difference_of_pasts(call, &d, read->keep[0], read->keep[1]))
		return NULL;
	response->changes = d.changes;
	response->n_changes = d.n;
	response->created = d.created;
	response->updated = d.updated;
	response->deleted = d.deleted;
	return &response->base;
}

void config_diff(struct rpc_call *call)
{
	const Sluice__V1__DiffConfigRequest *request = (const void *)rpc_call_request(call);

	if (request->max_changes > CHANGES_MAX)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "max_changes: %" PRIu32 " is over %d",
			 request->max_changes, CHANGES_MAX);
	else
		revision_run(call, read_difference);
}

/* ---- the list ---- */

struct listing {
	struct rpc_call *call;
	struct page page;
	Sluice__V1__ConfigRevision **list;
};

static int on_revision(void *arg, const struct store_revision_info *info)
{
	struct listing *l = arg;
	struct rpc_call *call = l->call;
	Sluice__V1__ConfigRevision *r;

	if (!page_take(&l->page, info->number))
		return 0;
	r = rpc_message(call, &sluice__v1__config_revision__descriptor);
	if (!r)
		return 1;
	r->revision = info->number;
	r->create_time = revision_time(call, info->time);
	r->author = rpc_format(call, "%s", info->author);
	r->source = rpc_format(call, "%s", info->source);
	r->method = rpc_format(call, "%s", info->method);
	r->comment = rpc_format(call, "%s", info->comment);
	r->created = info->created;
	r->updated = info->updated;
	r->deleted = info->deleted;
	r->confirm_deadline = revision_time(call, info->deadline);
	l->list[l->page.n - 1] = r;
	return 0;
}

static ProtobufCMessage *read_revisions(struct rpc_call *call, struct revision_read *read)
{
	const Sluice__V1__ListConfigRevisionsRequest *request =
		(const void *)rpc_call_request(call);
	Sluice__V1__ListConfigRevisionsResponse *response =
		rpc_message(call, &sluice__v1__list_config_revisions_response__descriptor);
	struct listing listing = {.call = call};

	if (!page_begin(&listing.page, request->page_size, request->page_token, &read->why) ||
	    !response)
		return NULL;
	listing.list = rpc_alloc(call, listing.page.size * sizeof(*listing.list));
	if (!listing.list ||
	    store_list_revisions(read->db, listing.page.before, listing.page.size + 1, on_revision,
				 &listing, &read->why))
		return NULL;
	response->revisions = listing.list;
	response->n_revisions = listing.page.n;
	response->next_page_token = page_token(call, &listing.page);
	return response->next_page_token ? &response->base : NULL;
}

void config_list_revisions(struct rpc_call *call)
{
	revision_run(call, read_revisions);
}
