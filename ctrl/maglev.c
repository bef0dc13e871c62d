/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/maglev.h"

#include <errno.h>
#include <stdlib.h>

#include "ctrl/endpoint_hash.h"

#define FREE UINT32_MAX

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

static uint32_t take_free(const struct maglev_backend *b, uint32_t *at, uint32_t size,
			  const uint32_t *out)
{
	uint32_t entry;

	do {
		entry = *at;
		*at = entry + b->skip < size ? entry + b->skip : entry + b->skip - size;
	} while (out[entry] != FREE);
	return entry;
}

static void fill(struct turns *t, uint32_t *out)
{
	uint32_t left = t->size;

	for (uint32_t round = 1; left; round++)
		for (uint32_t i = t->round[round].first, next; i && left; i = next, left--) {
			next = t->of[i - 1].next;
			t->of[i - 1].turns++;
			out[take_free(&t->backend[i - 1], &t->of[i - 1].at, t->size, out)] = i - 1;
			wait_for_turn(t, i - 1);
		}
}

int maglev_fill(const struct maglev_backend *backend, uint32_t n, uint32_t size, uint32_t *out)
{
	struct turns t;
	int rc = turns_begin(&t, backend, n, size);

	if (!rc) {
		for (uint32_t i = 0; i < size; i++)
			out[i] = FREE;
		fill(&t, out);
	}
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
	/* Few sizes, so that a backend more or less rarely changes the size, and with it all. */
	static const uint32_t primes[] = {251,   509,   1021,  2039,   4093,   8191,
					  16381, 32749, 65521, 131071, 262139, 524287};

	uint64_t even = UINT64_C(100) * n, steady = UINT64_C(3) * n * n;

	for (unsigned int i = 0; i < sizeof(primes) / sizeof(primes[0]); i++)
		if (primes[i] >= even && primes[i] >= steady)
			return primes[i];
	return MAGLEV_SIZE_MAX;
}
