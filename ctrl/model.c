/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/address.h"
#include "sluice/v1/interface.pb-c.h"

static int compare(const struct resource *a, const struct resource *b)
{
	return strcmp(a->name, b->name);
}

RB_GENERATE_INTERNAL(resource_tree, resource, node, compare, __attribute__((unused)) static)

/* A resource that is only a name, to search with. */
#define NAMED(n) (&(struct resource){.name = (char *)(n)})

/* The macros of tree.h take no const. */
static struct resource_tree *tree(const struct model *model, enum resource_kind kind)
{
	return (struct resource_tree *)&model->tree[kind];
}

static int add_interfaces(struct model *model)
{
	for (unsigned int i = 0; i < model->root->n_ports; i++) {
		Sluice__V1__Interface message = SLUICE__V1__INTERFACE__INIT;
		struct problem why;
		struct resource *r;

		message.name = (char *)model->root->port[i].name;
		r = resource_new(RESOURCE_INTERFACE, NULL, &message.base, &why);
		if (!r)
			return -ENOMEM;
		model_insert(model, r);
	}
	return 0;
}

struct model *model_new(const struct sl_root *root)
{
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	model->root = root;
	model->touches = 1; /* 0 is what was never made */
	model->ids[IDS_VIRTUAL_SERVER] = ids_new(root->max_virtual_servers, false);
	model->ids[IDS_BACKEND] = ids_new(root->max_backends, false);
	model->ids[IDS_LOCAL_ADDRESS] = ids_new(root->max_local_addresses, true);
	for (int c = 0; c < IDS_MAX; c++)
		if (!model->ids[c])
			goto fail;
	if (!add_interfaces(model))
		return model;
fail:
	model_free(model);
	errno = ENOMEM;
	return NULL;
}

void model_free(struct model *model)
{
	struct resource *r, *next;

	if (!model)
		return;
	for (int kind = 0; kind < RESOURCE_KIND_MAX; kind++)
		RB_FOREACH_SAFE(r, resource_tree, &model->tree[kind], next)
		{
			RB_REMOVE(resource_tree, &model->tree[kind], r);
			resource_free(r);
		}
	for (int c = 0; c < IDS_MAX; c++)
		ids_free(model->ids[c]);
	free(model);
}

const struct resource *model_find(const struct model *model, enum resource_kind kind,
				  const char *name)
{
	return RB_FIND(resource_tree, tree(model, kind), NAMED(name));
}

const struct resource *model_after(const struct model *model, enum resource_kind kind,
				   const char *name)
{
	struct resource *r = RB_NFIND(resource_tree, tree(model, kind), NAMED(name));

	return r && !strcmp(r->name, name) ? model_next(r) : r;
}

const struct resource *model_next(const struct resource *resource)
{
	return RB_NEXT(resource_tree, NULL, (struct resource *)resource);
}

const struct resource *model_backends(const struct model *model, const char *pool)
{
	char prefix[RESOURCE_NAME_SIZE];
	const struct resource *r;

	resource_backend_name(pool, "", prefix);
	r = model_after(model, RESOURCE_BACKEND, prefix);
	return r && resource_in_pool(r, pool) ? r : NULL;
}

const struct resource *model_next_backend(const struct resource *backend)
{
	const struct resource *next = model_next(backend);
	size_t len = strcspn(backend->name, "/") + 1;

	return next && !strncmp(next->name, backend->name, len) ? next : NULL;
}

const char *model_pool_etag(const struct model *model, const struct resource *pool, char *out)
{
	uint64_t hash = pool->hash;

	for (const struct resource *b = model_backends(model, pool->name); b;
	     b = model_next_backend(b))
		hash += b->hash;
	return resource_etag_text(hash, out);
}

const char *model_etag(const struct model *model, char *out)
{
	return resource_etag_text(model->hash, out);
}

const char *model_name(const struct model *model, enum ids_class class, uint32_t ref)
{
	return ids_name(model->ids[class], ref);
}

/* ---- stable ids ---- */

bool model_nth_id(const struct resource *r, size_t n, struct model_id *out)
{
	out->name = r->name;
	out->ref = (uint32_t *)&r->ref;
	switch (r->kind) {
	case RESOURCE_VIRTUAL_SERVER: out->class = IDS_VIRTUAL_SERVER; return n < 1;
	case RESOURCE_BACKEND: out->class = IDS_BACKEND; return n < 1;
	case RESOURCE_SNAT_POLICY:
		out->class = n ? IDS_BACKEND : IDS_VIRTUAL_SERVER;
		out->name = r->snat.identity;
		if (n)
			out->ref = (uint32_t *)&r->snat.outside;
		return n < 2;
	case RESOURCE_LOCAL_ADDRESS_POOL:
		if (n >= r->local.n)
			return false;
		out->class = IDS_LOCAL_ADDRESS;
		out->ref = &r->local.ref[n];
		out->name = address_text(&r->local.addr[n], out->text);
		return true;
	default: return false;
	}
}

/* Of the first n, those that it has. */
static void release_ids(struct model *model, const struct resource *r, size_t n)
{
	struct model_id id;

	for (size_t i = 0; i < n && model_nth_id(r, i, &id); i++)
		if (*id.ref != SL_REF_NONE)
			ids_release(model->ids[id.class], *id.ref);
}

static int put_ids(struct model *model, struct resource *r)
{
	struct model_id id;
	int rc;

	for (size_t i = 0; model_nth_id(r, i, &id); i++) {
		if (*id.ref == SL_REF_NONE)
			continue;
		rc = ids_put(model->ids[id.class], *id.ref, id.name);
		if (rc) {
			release_ids(model, r, i);
			return rc;
		}
	}
	return 0;
}

/* Those that it has come first: a new one could be given their id otherwise. */
static int take_ids(struct model *model, struct resource *r)
{
	struct model_id id;
	int rc = put_ids(model, r);

	for (size_t i = 0; !rc && model_nth_id(r, i, &id); i++) {
		if (*id.ref != SL_REF_NONE)
			continue;
		*id.ref = ids_take(model->ids[id.class], id.name);
		if (*id.ref == SL_REF_NONE) {
			release_ids(model, r, SIZE_MAX);
			rc = -ENOSPC;
		}
	}
	return rc;
}

uint32_t model_pool_place(const char *name)
{
	uint32_t h = 0;

	for (; *name && *name != '/'; name++)
		h = (h ^ (uint8_t)*name) * UINT32_C(0x9e3779b1);
	return (h ^ h >> 15) % MODEL_POOL_PLACES;
}

static void touch(struct model *model, const struct resource *r)
{
	model->touched[r->kind] = ++model->touches;
	if (r->kind == RESOURCE_BACKEND || r->kind == RESOURCE_BACKEND_POOL)
		model->pool_touched[model_pool_place(r->name)] = model->touches;
}

/*
 * Does it belong right behind the one put in before? Then it goes there without a search: what
 * comes in numbers is sorted. Either that one has nothing to its right, or its successor is the
 * leftmost there.
 */
static bool insert_behind(struct resource_tree *head, struct resource *latest, struct resource *r)
{
	struct resource *next;

	if (!latest || compare(latest, r) >= 0)
		return false;
	next = RB_NEXT(resource_tree, NULL, latest);
	if (next && compare(r, next) >= 0)
		return false;
	if (RB_RIGHT(latest, node)) {
		RB_SET(r, next, node);
		RB_LEFT(next, node) = r;
	} else {
		RB_SET(r, latest, node);
		RB_RIGHT(latest, node) = r;
	}
	resource_tree_RB_INSERT_COLOR(head, r);
	return true;
}

int model_insert(struct model *model, struct resource *r)
{
	struct resource_tree *head = &model->tree[r->kind];
	int rc = take_ids(model, r);

	if (rc)
		return rc;
	if (!insert_behind(head, model->latest[r->kind], r))
		RB_INSERT(resource_tree, head, r);
	model->latest[r->kind] = r;
	model->count[r->kind]++;
	model->hash += r->hash;
	touch(model, r);
	return 0;
}

void model_remove(struct model *model, struct resource *r)
{
	release_ids(model, r, SIZE_MAX);
	RB_REMOVE(resource_tree, &model->tree[r->kind], r);
	if (model->latest[r->kind] == r)
		model->latest[r->kind] = NULL;
	model->count[r->kind]--;
	model->hash -= r->hash;
	touch(model, r);
}

void model_settle(struct model *model, struct resource *r, uint64_t revision)
{
	struct model_id id;

	r->revision = revision;
	for (size_t i = 0; model_nth_id(r, i, &id); i++)
		ids_settle(model->ids[id.class], *id.ref);
}
