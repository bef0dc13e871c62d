/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/maglev.h"

#include <errno.h>
#include <stdlib.h>

#include "ctrl/endpoint_hash.h"

struct maglev_backend maglev_backend(const struct sl_backend *backend, uint32_t size)
{
	return (struct maglev_backend){
		.offset = (uint32_t)(endpoint_hash(backend, 0) % size),
		.skip = (uint32_t)(endpoint_hash(backend, 1) % (size - 1) + 1),
		.weight = backend->weight,
	};
}

/* ---- whose turn it is ---- */

/*
 * The heaviest has a turn in each round, the others as often as their weights are of its: turn k
 * of a backend is in round ceil(k * heaviest / weight). A queue for each round, so that
 * light backends cost nothing while they wait.
 */
struct queue {
	uint32_t first, last; /* position + 1; 0: empty */
};

struct turns {
	const struct maglev_backend *backend;
	uint32_t most;       /* the greatest weight */
	uint32_t size;       /* rounds at most: the heaviest takes an entry in each */
	struct queue *round; /* [size + 1] */
	struct {
		uint32_t next;  /* in its queue */
		uint32_t turns; /* so far */
		uint32_t at;    /* in its permutation */
	} * of;                 /* backend */
};

static void wait_for_turn(struct turns *t, uint32_t i)
{
	uint32_t weight = t->backend[i].weight;
	uint64_t round = ((t->of[i].turns + UINT64_C(1)) * t->most + weight - 1) / weight;
	struct queue *q;

	if (round > t->size)
		return;
	q = &t->round[round];
	if (q->last)
		t->of[q->last - 1].next = i + 1;
	else
		q->first = i + 1;
	q->last = i + 1;
	t->of[i].next = 0;
}

static int turns_begin(struct turns *t, const struct maglev_backend *backend, uint32_t n,
		       uint32_t size)
{
	*t = (struct turns){.backend = backend, .size = size};
	t->round = calloc(size + 1, sizeof(*t->round));
	t->of = calloc(n, sizeof(*t->of));
	if (!t->round || !t->of)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		t->most = backend[i].weight > t->most ? backend[i].weight : t->most;
	for (uint32_t i = 0; i < n; i++) {
		t->of[i].at = backend[i].offset;
		if (backend[i].weight)
			wait_for_turn(t, i);
	}
	return 0;
}

/* ---- the table ---- */

static bool is_taken(const uint64_t *taken, uint32_t entry)
{
	return taken[entry / 64] >> (entry % 64) & 1;
}

/* What is free is looked up in a bitmap, which a CPU's cache holds: nearly all of the time. */
static uint32_t take_free(const struct maglev_backend *b, uint32_t *at, uint32_t size,
			  uint64_t *taken)
{
	uint32_t entry;

	do {
		entry = *at;
		*at = entry + b->skip < size ? entry + b->skip : entry + b->skip - size;
	} while (is_taken(taken, entry));
	taken[entry / 64] |= UINT64_C(1) << (entry % 64);
	return entry;
}

static void fill(struct turns *t, uint64_t *taken, uint32_t *out)
{
	uint32_t left = t->size;

	for (uint32_t round = 1; left; round++)
		for (uint32_t i = t->round[round].first, next; i && left; i = next, left--) {
			next = t->of[i - 1].next;
			t->of[i - 1].turns++;
			out[take_free(&t->backend[i - 1], &t->of[i - 1].at, t->size, taken)] =
				i - 1;
			wait_for_turn(t, i - 1);
		}
}

int maglev_fill(const struct maglev_backend *backend, uint32_t n, uint32_t size, uint32_t *out)
{
	uint64_t *taken = calloc(size / 64 + 1, sizeof(*taken));
	struct turns t;
	int rc = turns_begin(&t, backend, n, size);

	if (!taken)
		rc = -ENOMEM;
	if (!rc)
		fill(&t, taken, out);
	free(taken);
	free(t.round);
	free(t.of);
	return rc;
}

/* ---- sizes ---- */

bool maglev_is_prime(uint32_t n)
{
	if (n < 4 || n % 2 == 0)
		return n == 2 || n == 3;
	for (uint32_t i = 3; i <= n / i; i += 2)
		if (n % i == 0)
			return false;
	return true;
}

uint32_t maglev_default_size(uint32_t n)
{
	/*
	 * Up to so many backends, measured. Few sizes, so that a backend more or less rarely
	 * changes the size, and with it all.
	 */
	static const struct {
		uint32_t backends, size;
	} steps[] = {{2, 251},      {5, 509},      {10, 1021},     {20, 2039},     {36, 4093},
		     {52, 8191},    {73, 16381},   {104, 32749},   {147, 65521},   {209, 131071},
		     {280, 262139}, {390, 524287}, {500, 1048573}, {680, 2097143}, {1000, 4194301}};

	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (n <= steps[i].backends)
			return steps[i].size;
	return MAGLEV_SIZE_MAX;
}
