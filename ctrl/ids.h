/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stable ids (snapshot.h, "References"): small, dense numbers with a generation of eight
 * bits. An id that was freed is used again with the next generation, so that a
 * connection or counter of the former owner is told from the new one's.
 *
 * Ids are taken while a change is tried and settled when it is committed: what is taken
 * and released without being settled leaves no trace.
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

/* What the boot configuration calls their limit, under `limits:`. */
extern const char *const ids_limit_names[IDS_MAX];

struct ids;

/*
 * Ids are below `capacity`. When names are remembered, a name gets the id back that it
 * had last, if that is free; when not, a name must live as long as its id is used (there
 * may be many). NULL with errno.
 */
struct ids *ids_new(uint32_t capacity, bool remember_names);
void ids_free(struct ids *ids);

/* A free id, the lowest unless names are remembered, with the generation after its last.
 * SL_REF_NONE: all used. */
uint32_t ids_take(struct ids *ids, const char *name);

/* Use exactly this reference. -ENOSPC: over the capacity; -EEXIST: its id is used. */
int ids_put(struct ids *ids, uint32_t ref, const char *name);

/* The id is free. */
void ids_release(struct ids *ids, uint32_t ref);

/* A used id's generation and owner are the last ones from now on. */
void ids_settle(struct ids *ids, uint32_t ref);

/* A free id as the store kept it. Ids over the capacity are nobody's business. */
void ids_restore(struct ids *ids, uint32_t ref, const char *last_name);

/* Name of the present owner of exactly this reference; NULL when there is none. */
const char *ids_name(const struct ids *ids, uint32_t ref);

uint32_t ids_capacity(const struct ids *ids);

#endif
