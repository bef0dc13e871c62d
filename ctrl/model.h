/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration in memory: all resources of the current revision, each kind in a tree
 * sorted by name, and the stable ids that snapshots, connections and counters name things by.
 * Readers see committed revisions only; changes come from ctrl/change.h.
 *
 * Every port of the boot configuration has an interface here, without addresses
 * when none were configured.
 */
#ifndef CTRL_MODEL_H
#define CTRL_MODEL_H

#include <stdint.h>

#include <sluice/shm.h>

#include "ctrl/ids.h"
#include "ctrl/resource.h"

#define MODEL_POOL_PLACES 16384 /* a power of two; pools may share one */

RB_HEAD(resource_tree, resource);

struct model {
	struct resource_tree tree[RESOURCE_KIND_MAX];
	size_t count[RESOURCE_KIND_MAX];
	struct resource *latest[RESOURCE_KIND_MAX]; /* put in last; NULL: it is gone */
	struct ids *ids[IDS_MAX];
	const struct sl_root *root; /* ports and limits */
	uint64_t revision;          /* 0: nothing was ever configured */
	uint64_t hash;              /* sum of the resources' hashes */
	/*
	 * What was touched when, for who keeps something made of the model: `touches` counts
	 * resources put in and taken out, also of changes that were only tried.
	 */
	uint64_t touches;
	uint64_t touched[RESOURCE_KIND_MAX];      /* its value at the kind's last */
	uint64_t pool_touched[MODEL_POOL_PLACES]; /* of a pool and its backends, by model_pool_place
						   */
};

/* Empty, with an interface for each of root's ports. NULL with errno. */
struct model *model_new(const struct sl_root *root);
void model_free(struct model *model);

/* ---- for readers ---- */

/* NULL when there is none. */
const struct resource *model_find(const struct model *model, enum resource_kind kind,
				  const char *name);

/* The first of a kind whose name sorts after `name` ("": the first of all); NULL at the end. */
const struct resource *model_after(const struct model *model, enum resource_kind kind,
				   const char *name);

/* The next of the same kind; NULL at the end. */
const struct resource *model_next(const struct resource *resource);

/* A pool's backends: for (b = model_backends(m, "web"); b; b = model_next_backend(b)) */
const struct resource *model_backends(const struct model *model, const char *pool);
const struct resource *model_next_backend(const struct resource *backend);

/* Place in pool_touched of a pool's name; of a backend's name, its pool's. */
uint32_t model_pool_place(const char *name);

/* Etags: of a pool and its backends; of the whole. Return `out`, of RESOURCE_ETAG_SIZE. */
const char *model_pool_etag(const struct model *model, const struct resource *pool, char *out);
const char *model_etag(const struct model *model, char *out);

/* Name of what a reference stands for; NULL when it no longer is in the configuration. */
const char *model_name(const struct model *model, enum ids_class class, uint32_t ref);

/* ---- for change sets and the store ---- */

/* A stable id that a resource has. */
struct model_id {
	enum ids_class class;
	uint32_t *ref; /* in the resource; SL_REF_NONE: none yet */
	const char *name;
	char text[46]; /* room for the name: an address */
};

/* The nth; false when there are no more. */
bool model_nth_id(const struct resource *resource, size_t n, struct model_id *out);

/*
 * Put a resource in, whose name must be free; the model owns it from now on. What has no
 * reference yet gets a stable id. -ENOSPC when ids have run out, and nothing changed.
 */
int model_insert(struct model *model, struct resource *resource);

/* Take it out again; its ids are free. The caller owns it. */
void model_remove(struct model *model, struct resource *resource);

/* It is in a committed revision. */
void model_settle(struct model *model, struct resource *resource, uint64_t revision);

#endif
