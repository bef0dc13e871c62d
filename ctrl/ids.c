/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/snapshot.h>

const char *const ids_limit_names[IDS_MAX] = {
	[IDS_VIRTUAL_SERVER] = "virtual-servers",
	[IDS_BACKEND] = "backends",
	[IDS_LOCAL_ADDRESS] = "local-addresses",
};

struct entry {
	const char *name; /* of the owner; NULL: free */
	char *last;       /* settled owner, when names are remembered */
	uint8_t generation;
	uint8_t last_generation;
};

struct ids {
	uint32_t capacity;
	uint32_t lowest; /* no id below is free */
	bool remember;
	struct entry entry[];
};

struct ids *ids_new(uint32_t capacity, bool remember_names)
{
	struct ids *ids = calloc(1, sizeof(*ids) + capacity * sizeof(ids->entry[0]));

	if (!ids)
		return NULL;
	ids->capacity = capacity;
	ids->remember = remember_names;
	return ids;
}

/* Names are the owners' own where none is remembered. */
static void free_name(const struct ids *ids, struct entry *e)
{
	if (ids->remember)
		free((char *)e->name);
	e->name = NULL;
}

void ids_free(struct ids *ids)
{
	if (!ids)
		return;
	for (uint32_t i = 0; i < ids->capacity; i++) {
		free_name(ids, &ids->entry[i]);
		free(ids->entry[i].last);
	}
	free(ids);
}

/*
 * When names are remembered: the free id that this name had last, else one that nobody
 * had, so that others are remembered as long as possible. The capacity when there is neither.
 */
static uint32_t find_remembered(const struct ids *ids, const char *name)
{
	uint32_t fresh = ids->capacity;

	for (uint32_t i = 0; ids->remember && i < ids->capacity; i++) {
		const struct entry *e = &ids->entry[i];

		if (e->name)
			continue;
		if (e->last && !strcmp(e->last, name))
			return i;
		if (!e->last && fresh == ids->capacity)
			fresh = i;
	}
	return fresh;
}

uint32_t ids_take(struct ids *ids, const char *name)
{
	uint32_t id = find_remembered(ids, name), ref;

	if (id == ids->capacity) {
		while (ids->lowest < ids->capacity && ids->entry[ids->lowest].name)
			ids->lowest++;
		id = ids->lowest;
	}
	if (id >= ids->capacity)
		return SL_REF_NONE;
	ref = SL_REF(id, ids->entry[id].last_generation + 1);
	return ids_put(ids, ref, name) ? SL_REF_NONE : ref;
}

int ids_put(struct ids *ids, uint32_t ref, const char *name)
{
	uint32_t id = SL_REF_ID(ref);

	if (id >= ids->capacity)
		return -ENOSPC;
	if (ids->entry[id].name)
		return -EEXIST;
	ids->entry[id].name = ids->remember ? strdup(name) : name;
	ids->entry[id].generation = SL_REF_GENERATION(ref);
	return ids->entry[id].name ? 0 : -ENOMEM;
}

void ids_release(struct ids *ids, uint32_t ref)
{
	uint32_t id = SL_REF_ID(ref);

	free_name(ids, &ids->entry[id]);
	if (id < ids->lowest)
		ids->lowest = id;
}

static void remember(struct ids *ids, uint32_t ref, const char *name)
{
	struct entry *e = &ids->entry[SL_REF_ID(ref)];

	e->last_generation = SL_REF_GENERATION(ref);
	if (!ids->remember)
		return;
	free(e->last);
	e->last = strdup(name); /* without memory it is forgotten: another id will do */
}

void ids_settle(struct ids *ids, uint32_t ref)
{
	remember(ids, ref, ids->entry[SL_REF_ID(ref)].name);
}

void ids_restore(struct ids *ids, uint32_t ref, const char *last_name)
{
	if (SL_REF_ID(ref) < ids->capacity)
		remember(ids, ref, last_name);
}

const char *ids_name(const struct ids *ids, uint32_t ref)
{
	const struct entry *e = &ids->entry[SL_REF_ID(ref)];

	if (SL_REF_ID(ref) >= ids->capacity || e->generation != SL_REF_GENERATION(ref))
		return NULL;
	return e->name;
}

uint32_t ids_capacity(const struct ids *ids)
{
	return ids->capacity;
}
