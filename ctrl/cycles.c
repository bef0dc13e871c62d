/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/cycles.h"

#include <stdlib.h>
#include <string.h>

#include "ctrl/cycle.h"

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

static uint64_t hash_shares(const uint16_t *share, uint32_t n)
{
	uint64_t h = n;

	for (uint32_t i = 0; i < n; i++)
		h = (h ^ share[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

static struct cycle *make(const uint16_t *share, uint32_t n, uint64_t hash)
{
	uint64_t length = cycle_length(share, n);
	struct cycle *c = calloc(1, sizeof(*c) + n * sizeof(c->share[0]));

	if (!c)
		return NULL;
	c->hash = hash;
	c->n = n;
	c->length = (uint32_t)length;
	c->pick = malloc((length + 1) * sizeof(*c->pick));
	if (!c->pick || cycle_make(share, n, c->pick)) {
		cycle_free(c);
		return NULL;
	}
	memcpy(c->share, share, n * sizeof(*share));
	return c;
}

struct cycle *cycles_get(struct cycles *cycles, const uint16_t *share, uint32_t n)
{
	uint64_t hash = hash_shares(share, n);
	struct bucket *bucket = &cycles->bucket[hash & (BUCKETS - 1)];
	struct cycle *c;

	LIST_FOREACH (c, bucket, link)
		if (c->hash == hash && c->n == n && !memcmp(c->share, share, n * sizeof(*share)))
			break;
	if (!c) {
		c = make(share, n, hash);
		if (!c)
			return NULL;
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
