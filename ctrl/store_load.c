/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/store_load.h"

#include <errno.h>
#include <stdio.h>

/* Statements of a load, finalized together. */
struct load {
	sqlite3 *db;
	struct model *model;
	sqlite3_stmt *free_ids;
	sqlite3_stmt *owner;
	sqlite3_stmt *resources;
	sqlite3_stmt *revision;
};

static int damaged(const struct load *load, struct problem *why)
{
	return problem_set(why, PROBLEM_DATA_LOSS, "cannot be read: %s", sqlite3_errmsg(load->db));
}

static int prepare(struct load *load)
{
	static const char free_ids[] = "SELECT class, id, generation, name FROM identity "
				       "WHERE used = 0";
	static const char owner[] = "SELECT id, generation FROM identity "
				    "WHERE class = ?1 AND name = ?2 AND used = 1";
	static const char resources[] = "SELECT kind, name, message, revision FROM resource";
	static const char revision[] = "SELECT coalesce(max(number), 0) FROM revision";

	return sqlite3_prepare_v2(load->db, free_ids, -1, &load->free_ids, NULL) ||
	       sqlite3_prepare_v2(load->db, owner, -1, &load->owner, NULL) ||
	       sqlite3_prepare_v2(load->db, resources, -1, &load->resources, NULL) ||
	       sqlite3_prepare_v2(load->db, revision, -1, &load->revision, NULL);
}

static int load_free_ids(struct load *load, struct problem *why)
{
	sqlite3_stmt *s = load->free_ids;
	int code;

	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		int class = sqlite3_column_int(s, 0);
		const char *name = (const char *)sqlite3_column_text(s, 3);

		if (class < 0 || class >= IDS_MAX || !name)
			return problem_set(why, PROBLEM_DATA_LOSS, "identity class %d is not known",
					   class);
		ids_restore(load->model->ids[class],
			    SL_REF(sqlite3_column_int(s, 1), sqlite3_column_int(s, 2)), name);
	}
	return code == SQLITE_DONE ? 0 : damaged(load, why);
}

/* Each stored virtual server, backend and local address has an identity. */
static int load_ids(struct load *load, struct resource *r, struct problem *why)
{
	char path[RESOURCE_PATH_SIZE];
	sqlite3_stmt *s = load->owner;
	struct model_id id;

	for (size_t i = 0; model_nth_id(r, i, &id); i++) {
		sqlite3_reset(s);
		sqlite3_bind_int(s, 1, id.class);
		sqlite3_bind_text(s, 2, id.name, -1, SQLITE_TRANSIENT);
		if (sqlite3_step(s) != SQLITE_ROW)
			return problem_set(why, PROBLEM_DATA_LOSS, "%s: has no identity",
					   resource_path(r->kind, r->name, path));
		*id.ref = SL_REF(sqlite3_column_int(s, 0), sqlite3_column_int(s, 1));
	}
	return 0;
}

static int insert(struct load *load, struct resource *r, struct problem *why)
{
	struct resource *had = (struct resource *)model_find(load->model, r->kind, r->name);
	char path[RESOURCE_PATH_SIZE];
	struct model_id id;
	int rc;

	resource_path(r->kind, r->name, path);
	/* The interfaces of ports are there from the beginning. */
	if (had && r->kind == RESOURCE_INTERFACE && !had->revision) {
		model_remove(load->model, had);
		resource_free(had);
	} else if (had) { /* names that differ by their type alone, which only a forged file has */
		return problem_set(why, PROBLEM_DATA_LOSS, "%s: is stored twice", path);
	}
	rc = model_insert(load->model, r);
	if (rc == -ENOSPC && model_nth_id(r, 0, &id))
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED,
				   "%s: is stored with an id over the limit of the boot "
				   "configuration, limits: %s: %u: give it the former value again",
				   path, ids_limit_names[id.class],
				   ids_capacity(load->model->ids[id.class]));
	if (rc)
		return problem_set(why, PROBLEM_DATA_LOSS, "%s: its id is used twice", path);
	return 0;
}

static int load_resource(struct load *load, struct problem *why)
{
	sqlite3_stmt *s = load->resources;
	int kind = sqlite3_column_int(s, 0);
	const char *name = (const char *)sqlite3_column_text(s, 1);
	const void *packed = sqlite3_column_blob(s, 2);
	uint64_t revision = (uint64_t)sqlite3_column_int64(s, 3);
	struct resource *r;

	if (kind < 0 || kind >= RESOURCE_KIND_MAX || !name)
		return problem_set(why, PROBLEM_DATA_LOSS, "resource kind %d is not known", kind);
	r = resource_unpack(kind, name, packed, sqlite3_column_bytes(s, 2), why);
	if (!r) {
		why->code = PROBLEM_DATA_LOSS;
		return -EINVAL;
	}
	if (load_ids(load, r, why) || insert(load, r, why)) {
		resource_free(r);
		return -EINVAL;
	}
	model_settle(load->model, r, revision);
	return 0;
}

static int load_all(struct load *load, struct problem *why)
{
	int code;

	if (prepare(load))
		return damaged(load, why);
	if (load_free_ids(load, why))
		return -EINVAL;
	while ((code = sqlite3_step(load->resources)) == SQLITE_ROW)
		if (load_resource(load, why))
			return -EINVAL;
	if (code != SQLITE_DONE || sqlite3_step(load->revision) != SQLITE_ROW)
		return damaged(load, why);
	load->model->revision = (uint64_t)sqlite3_column_int64(load->revision, 0);
	return 0;
}

int store_load(sqlite3 *db, struct model *model, struct problem *why)
{
	struct load load = {.db = db, .model = model};
	int rc = load_all(&load, why);

	sqlite3_finalize(load.free_ids);
	sqlite3_finalize(load.owner);
	sqlite3_finalize(load.resources);
	sqlite3_finalize(load.revision);
	return rc;
}
