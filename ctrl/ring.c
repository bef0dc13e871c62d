/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/ring.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>

#include "ctrl/endpoint_hash.h"

#define POINTS 128 /* of a backend, at least, when all weights are equal */

struct point {
	uint32_t at;
	uint32_t position;
};

uint32_t ring_size(uint32_t n)
{
	return rte_align32pow2(2 * POINTS * (n ? n : 1));
}

/*
 * Points of a backend: its weight times a power of two, so that a changed weight elsewhere
 * leaves them alone, and where the power changes one set of points holds the other.
 */
struct scale {
	unsigned int left, right; /* shift */
};

static struct scale scale_of(const struct sl_backend *backend, uint32_t n)
{
	struct scale s = {0, 0};
	uint64_t sum = 0, count = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum += backend[i].weight;
		count += backend[i].weight != 0;
	}
	while (sum << s.left < POINTS * count)
		s.left++;
	while (sum >> s.right >= 2 * POINTS * count)
		s.right++;
	return s;
}

static uint32_t points_of(const struct sl_backend *backend, struct scale s)
{
	uint32_t points = (uint32_t)backend->weight << s.left >> s.right;

	return backend->weight && !points ? 1 : points;
}

static int by_place(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	if (p->at != q->at)
		return p->at < q->at ? -1 : 1;
	return p->position < q->position ? -1 : p->position > q->position;
}

static uint32_t place_points(const struct sl_backend *backend, uint32_t n, struct scale s,
			     struct point *point)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t p = points_of(&backend[i], s); p-- > 0;)
			point[k++] =
				(struct point){(uint32_t)(endpoint_hash(&backend[i], p) >> 32), i};
	qsort(point, k, sizeof(*point), by_place);
	return k;
}

int ring_fill(const struct sl_backend *backend, uint32_t n, uint32_t *out)
{
	struct scale s = scale_of(backend, n);
	uint32_t size = ring_size(n), total = 0, next = 0;
	struct point *point;

	for (uint32_t i = 0; i < n; i++)
		total += points_of(&backend[i], s);
	point = malloc((total + 1) * sizeof(*point));
	if (!point)
		return -ENOMEM;
	place_points(backend, n, s, point);
	for (uint32_t i = 0; i < size; i++) {
		while (next < total && point[next].at < i * (UINT64_C(1) << 32) / size)
			next++;
		out[i] = point[next < total ? next : 0].position;
	}
	free(point);
	return 0;
}
