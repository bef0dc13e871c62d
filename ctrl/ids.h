/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stable ids (snapshot.h, "References"): small, dense numbers with a generation of eight
 * bits. An id that was freed is used again with the next generation, so that a
 * connection or counter of the former owner is told from the new one's.
 */
#ifndef CTRL_IDS_H
#define CTRL_IDS_H

#include <stdbool.h>
#include <stdint.h>

enum ids_class {
	IDS_VIRTUAL_SERVER,
	IDS_BACKEND,
	IDS_LOCAL_ADDRESS, /* named by the address in dotted form */
	IDS_MAX
};

struct ids;

/* One entry, as the store keeps it. */
struct ids_entry {
	uint32_t id;
	uint8_t generation; /* of the present owner, or of the last one */
	bool used;
	const char *name; /* of the present owner, or of the last one; NULL: never used */
};

/* Ids are below `capacity`. NULL with errno. */
struct ids *ids_new(uint32_t capacity);
void ids_free(struct ids *ids);

/*
 * A free id for `name`, with the generation after its last. The id that this name had last
 * when `prefer_last` is set and it is free, else the lowest. SL_REF_NONE when all are used.
 */
uint32_t ids_take(struct ids *ids, const char *name, bool prefer_last);

/* Use exactly this reference, whose id is free. -ENOSPC: over the capacity; -EEXIST: used. */
int ids_put(struct ids *ids, uint32_t ref, const char *name);

/* The id is free; its generation and last name stay known. */
void ids_release(struct ids *ids, uint32_t ref);

/* Name of the present owner of exactly this reference; NULL when there is none. */
const char *ids_name(const struct ids *ids, uint32_t ref);

/* Used ids. */
uint32_t ids_count(const struct ids *ids);

/* False: id is over the capacity. */
bool ids_get(const struct ids *ids, uint32_t id, struct ids_entry *entry);

/* As it was stored. -ENOSPC: over the capacity. */
int ids_restore(struct ids *ids, const struct ids_entry *entry);

#endif
