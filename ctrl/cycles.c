/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/cycles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/cycle.h"
#include "ctrl/maglev.h"
#include "ctrl/ring.h"

#define BUCKETS 8192 /* a power of two */

LIST_HEAD(bucket, cycle);

struct cycles {
	struct bucket bucket[BUCKETS];
};

struct cycles *cycles_new(void)
{
	return calloc(1, sizeof(struct cycles)); /* zeroes are empty lists */
}

static void cycle_free(struct cycle *c)
{
	if (c)
		free(c->pick);
	free(c);
}

void cycles_free(struct cycles *cycles)
{
	struct cycle *c;

	for (int i = 0; cycles && i < BUCKETS; i++)
		while ((c = LIST_FIRST(&cycles->bucket[i]))) {
			LIST_REMOVE(c, link);
			cycle_free(c);
		}
	free(cycles);
}

/* ---- what is laid out ---- */

/* What different schedulers have in common is laid out once. */
static enum sl_scheduler kind_of(enum sl_scheduler scheduler)
{
	switch (scheduler) {
	case SL_SCHED_WRR:
	case SL_SCHED_SH: return SL_SCHED_RR;
	case SL_SCHED_WLC: return SL_SCHED_LC;
	default: return scheduler;
	}
}

/* Backends that take part. */
static uint32_t weighted(const struct cycle_recipe *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		n += r->backend[i].weight != 0;
	return n;
}

/* rr and wrr walk it, sh indexes it. The shares are the key. */
static int fill_cycle(struct cycle *c, const struct cycle_recipe *r)
{
	return cycle_make((const uint16_t *)c->key, r->n, c->pick);
}

static int fill_maglev(struct cycle *c, const struct cycle_recipe *r)
{
	struct maglev_backend *list = calloc(r->n + 1, sizeof(*list));
	int rc;

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n; i++)
		list[i] = maglev_backend(&r->backend[i], c->length);
	rc = maglev_fill(list, r->n, c->length, c->pick);
	free(list);
	return rc;
}

static int fill_ring(struct cycle *c, const struct cycle_recipe *r)
{
	return ring_fill(r->backend, r->n, c->pick);
}

/* A backend in the list of fo. */
struct rank {
	uint16_t weight;
	uint32_t position;
};

static int by_weight(const void *a, const void *b)
{
	const struct rank *p = a, *q = b;

	if (p->weight != q->weight)
		return p->weight > q->weight ? -1 : 1;
	return p->position < q->position ? -1 : p->position > q->position;
}

static int fill_list(struct cycle *c, const struct cycle_recipe *r)
{
	struct rank *rank = calloc(r->n + 1, sizeof(*rank));
	uint32_t n = 0;

	if (!rank)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n; i++)
		if (r->backend[i].weight)
			rank[n++] = (struct rank){r->backend[i].weight, i};
	qsort(rank, n, sizeof(*rank), by_weight);
	for (uint32_t i = 0; i < n; i++)
		c->pick[i] = rank[i].position;
	free(rank);
	return 0;
}

/* Picks that it takes. */
static uint64_t room_for(const struct cycle *c, const struct cycle_recipe *r)
{
	if (!weighted(r))
		return 0;
	switch (c->kind) {
	case SL_SCHED_MH: return r->size ? r->size : maglev_default_size(r->n);
	case SL_SCHED_CONHASH: return ring_size(r->n);
	case SL_SCHED_FO: return weighted(r);
	case SL_SCHED_LC: return 0;
	default: return cycle_length((const uint16_t *)c->key, r->n);
	}
}

static int fill(struct cycle *c, const struct cycle_recipe *r)
{
	if (!c->length)
		return 0;
	switch (c->kind) {
	case SL_SCHED_MH: return fill_maglev(c, r);
	case SL_SCHED_CONHASH: return fill_ring(c, r);
	case SL_SCHED_FO: return fill_list(c, r);
	default: return fill_cycle(c, r);
	}
}

/* ---- what it follows from ---- */

/* A backend in a table of consistent hashing. */
struct key_backend {
	struct sl_addr addr;
	uint16_t port;
	uint16_t weight;
};
static_assert(sizeof(struct key_backend) == 20, "no padding is compared");

static size_t key_room(const struct cycle_recipe *r)
{
	return sizeof(r->size) + r->n * sizeof(struct key_backend);
}

static uint32_t write_endpoints(uint8_t *key, const struct cycle_recipe *r)
{
	uint32_t at = sizeof(r->size);

	memcpy(key, &r->size, sizeof(r->size));
	for (uint32_t i = 0; i < r->n; i++, at += (uint32_t)sizeof(struct key_backend)) {
		const struct sl_backend *b = &r->backend[i];
		struct key_backend k = {b->addr, b->port, b->weight};

		memcpy(key + at, &k, sizeof(k));
	}
	return at;
}

static uint32_t write_weights(uint8_t *key, const struct cycle_recipe *r)
{
	uint16_t *weight = (uint16_t *)key;

	for (uint32_t i = 0; i < r->n; i++)
		weight[i] = r->backend[i].weight;
	if (r->scheduler != SL_SCHED_FO)
		cycle_shares(r->scheduler, weight, r->n, weight);
	return r->n * (uint32_t)sizeof(*weight);
}

static uint32_t write_key(uint8_t *key, const struct cycle_recipe *r)
{
	switch (r->scheduler) {
	case SL_SCHED_MH:
	case SL_SCHED_CONHASH: return write_endpoints(key, r);
	case SL_SCHED_LC:
	case SL_SCHED_WLC: return 0;
	default: return write_weights(key, r);
	}
}

static uint64_t hash_key(uint32_t kind, const uint8_t *key, size_t len)
{
	uint64_t h = (uint64_t)kind << 32 | len, word;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		word = 0;
		memcpy(&word, key + i, len - i < sizeof(word) ? len - i : sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return h;
}

/* ---- the set ---- */

static struct cycle *find(const struct bucket *bucket, const struct cycle *like)
{
	struct cycle *c;

	LIST_FOREACH (c, bucket, link)
		if (c->hash == like->hash && c->kind == like->kind && c->key_len == like->key_len &&
		    !memcmp(c->key, like->key, c->key_len))
			return c;
	return NULL;
}

/* Its picks. */
static int make(struct cycle *c, const struct cycle_recipe *r, uint64_t *length)
{
	*length = room_for(c, r);
	if (*length > CYCLE_MAX && c->kind == SL_SCHED_RR)
		return -E2BIG;
	c->length = (uint32_t)*length;
	c->pick = malloc((*length + 1) * sizeof(*c->pick));
	return c->pick ? fill(c, r) : -ENOMEM;
}

struct cycle *cycles_get(struct cycles *cycles, const struct cycle_recipe *recipe, uint64_t *length)
{
	struct cycle *c = calloc(1, sizeof(*c) + key_room(recipe)), *same;
	struct bucket *bucket;

	if (!c)
		return NULL;
	c->kind = kind_of(recipe->scheduler);
	c->key_len = write_key(c->key, recipe);
	c->hash = hash_key(c->kind, c->key, c->key_len);
	bucket = &cycles->bucket[c->hash & (BUCKETS - 1)];
	same = find(bucket, c);
	if (same) {
		cycle_free(c);
		c = same;
	} else {
		int rc = make(c, recipe, length);

		if (rc) {
			cycle_free(c);
			errno = -rc;
			return NULL;
		}
		LIST_INSERT_HEAD(bucket, c, link);
	}
	c->users++;
	return c;
}

void cycles_put(struct cycle *c)
{
	if (!c || --c->users)
		return;
	LIST_REMOVE(c, link);
	cycle_free(c);
}
