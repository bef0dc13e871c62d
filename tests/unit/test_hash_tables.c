/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of consistent hashing: the paper's own, how even they are, what a failure moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ctrl/maglev.h"
#include "ctrl/ring.h"

#define N_MAX 1000

static struct sl_backend backend[N_MAX];

static int set_up(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < N_MAX; i++)
		backend[i] = (struct sl_backend){
			.addr = sl_addr_of_v4(__builtin_bswap32(0xc6336400u + i)),
			.port = 0x5000,
			.weight = 1,
		};
	srandom(7);
	return 0;
}

/* Table 1 of the paper: permutations (3,0,4,1,5,2,6), (0,2,4,6,1,3,5), (3,4,5,6,0,1,2). */
static void as_in_the_paper(void **state)
{
	static const uint32_t before[] = {1, 0, 1, 0, 2, 2, 0}, after[] = {0, 0, 0, 0, 2, 2, 2};
	struct maglev_backend b[] = {{3, 4, 1}, {0, 2, 1}, {3, 1, 1}};
	uint32_t out[7];

	(void)state;
	assert_int_equal(maglev_fill(b, 3, 7, out), 0);
	assert_memory_equal(out, before, sizeof(out));
	b[1].weight = 0;
	assert_int_equal(maglev_fill(b, 3, 7, out), 0);
	assert_memory_equal(out, after, sizeof(out));
}

/* As the paper's figure 3 tells it, entry by entry; whose turn it is by plain search. */
static void naive_fill(const struct maglev_backend *b, uint32_t n, uint32_t size, uint32_t *out)
{
	uint32_t *next = calloc(n, sizeof(*next)), *turns = calloc(n, sizeof(*turns)), most = 0;

	for (uint32_t i = 0; i < n; i++)
		most = b[i].weight > most ? b[i].weight : most;
	memset(out, 0xff, size * sizeof(*out));
	for (uint32_t round = 1, left = size; left; round++)
		for (uint32_t i = 0; i < n && left; i++) {
			uint32_t c;

			if ((uint64_t)(turns[i] + 1) * most > (uint64_t)round * b[i].weight)
				continue;
			turns[i]++;
			do {
				c = (uint32_t)((b[i].offset + (uint64_t)next[i]++ * b[i].skip) %
					       size);
			} while (out[c] != UINT32_MAX);
			out[c] = i;
			left--;
		}
	free(next);
	free(turns);
}

static void as_by_hand(void **state)
{
	static const uint32_t sizes[] = {7, 13, 251, 1021};
	uint32_t fast[1021], slow[1021];

	(void)state;
	for (int round = 0; round < 400; round++) {
		uint32_t size = sizes[round % 4], n = 1 + (uint32_t)random() % 7;
		struct maglev_backend b[7];

		for (uint32_t i = 0; i < n; i++)
			b[i] = (struct maglev_backend){
				(uint32_t)random() % size, 1 + (uint32_t)random() % (size - 1),
				i ? (uint32_t)random() % (round % 3 ? 5 : 2) : 3};
		assert_int_equal(maglev_fill(b, n, size, fast), 0);
		naive_fill(b, n, size, slow);
		/* the order within a round is free when weights differ: shares are not */
		for (uint32_t i = 0; i < n; i++) {
			int more = 0;

			for (uint32_t k = 0; k < size; k++)
				more += (fast[k] == i) - (slow[k] == i);
			assert_in_range(more + 1, 0, 2);
		}
		if (round % 3 == 0)
			continue;
		for (uint32_t k = 0; k < size; k++)
			assert_true(fast[k] < n && b[fast[k]].weight);
	}
}

static uint32_t *mh_table(uint32_t n, uint32_t size)
{
	struct maglev_backend *list = calloc(n, sizeof(*list));
	uint32_t *out = calloc(size, sizeof(*out));

	for (uint32_t i = 0; i < n; i++)
		list[i] = maglev_backend(&backend[i], size);
	assert_int_equal(maglev_fill(list, n, size, out), 0);
	free(list);
	return out;
}

/* Greatest number of entries per unit of weight, over the mean. */
static double max_over_mean(const uint32_t *table, uint32_t n, uint32_t size)
{
	uint32_t *have = calloc(n, sizeof(*have)), weights = 0;
	double most = 0;

	for (uint32_t k = 0; k < size; k++)
		have[table[k]]++;
	for (uint32_t i = 0; i < n; i++)
		weights += backend[i].weight;
	for (uint32_t i = 0; i < n; i++) {
		double share = backend[i].weight ? (double)have[i] / backend[i].weight : 0;

		most = share > most ? share : most;
		assert_true(have[i] == 0 || backend[i].weight);
	}
	free(have);
	return most * weights / size;
}

/* Entries that move when backend `gone` fails: its own, and the others' of which they are part. */
static void disruption(const uint32_t *before, const uint32_t *after, uint32_t size, uint32_t gone,
		       uint32_t *own, uint32_t *others)
{
	*own = *others = 0;
	for (uint32_t k = 0; k < size; k++) {
		assert_int_not_equal(after[k], gone);
		*own += before[k] == gone;
		*others += before[k] != gone && before[k] != after[k];
	}
}

/* Of CPU time. */
static double ms_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)(now.tv_sec - then->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - then->tv_nsec) / 1e6;
}

static void mh_at_its_default_size(void **state)
{
	static const uint32_t sizes[] = {2, 10, 36, 104, 209, 280, 390, 500, 680, 1000};

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t n = sizes[s], size = maglev_default_size(n), own = 0, others = 0;
		uint32_t trials = n < 500 ? 5 : 2;
		struct timespec began;
		uint32_t *before;
		double ms, even;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
		before = mh_table(n, size);
		ms = ms_since(&began);
		even = max_over_mean(before, n, size);
		assert_true(maglev_is_prime(size) && size >= 100 * n);
		assert_true(even <= 1.01);
		for (uint32_t fails = 0; fails < trials; fails++) {
			uint32_t gone = fails * n / trials, a, b, *after;

			backend[gone].weight = 0;
			after = mh_table(n, size);
			backend[gone].weight = 1;
			disruption(before, after, size, gone, &a, &b);
			own += a;
			others += b;
			free(after);
		}
		print_message(
			"# mh: %u backends, %u entries, %.2f ms: max/mean %.4f, a failure moves "
			"%.2f of its share\n",
			n, size, ms, even, (double)(own + others) / own);
		assert_true(own + others <= 2 * own);
		free(before);
	}
}

/* Entries by weight, to within one turn. */
static void mh_weights(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		uint32_t n = 10, size = 4093, sum = 0, *table;

		for (uint32_t i = 0; i < n; i++)
			sum += backend[i].weight = (uint16_t)(i ? random() % 20 : 20);
		table = mh_table(n, size);
		for (uint32_t i = 0; i < n; i++) {
			double ideal = (double)size * backend[i].weight / sum;
			uint32_t have = 0;

			for (uint32_t k = 0; k < size; k++)
				have += table[k] == i;
			if (have > ideal + 2 || have < ideal - 2)
				fail_msg("%u entries of %f", have, ideal);
		}
		free(table);
	}
}

/* One heavy backend among many light ones takes no longer than equal ones. */
static void mh_skewed_is_quick(void **state)
{
	struct timespec began;
	uint32_t *table;

	(void)state;
	backend[0].weight = 65535;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
	table = mh_table(N_MAX, maglev_default_size(N_MAX));
	assert_true(ms_since(&began) < 2000);
	free(table);
}

static void primes(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 2000; n++) {
		bool prime = n > 1;

		for (uint32_t k = 2; k < n; k++)
			prime &= n % k != 0;
		assert_int_equal(maglev_is_prime(n), prime);
	}
	assert_true(maglev_is_prime(MAGLEV_SIZE_MAX));
	for (uint32_t n = 1; n < 12000; n++) {
		assert_true(maglev_is_prime(maglev_default_size(n)));
		assert_true(maglev_default_size(n) >= maglev_default_size(n - 1));
	}
}

/* A ring moves what was the failed one's, and not an entry more; so too when it comes back. */
static void ring_moves_only_its_own(void **state)
{
	static const uint32_t sizes[] = {2, 10, 100};

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t n = sizes[s], size = ring_size(n), own, others;
		uint32_t *before = calloc(size, sizeof(*before));
		uint32_t *after = calloc(size, sizeof(*after));

		assert_int_equal(ring_fill(backend, n, before), 0);
		print_message("# conhash: %u backends, %u entries: max/mean %.2f\n", n, size,
			      max_over_mean(before, n, size));
		assert_true(max_over_mean(before, n, size) < 1.5);
		backend[n / 2].weight = 0;
		assert_int_equal(ring_fill(backend, n, after), 0);
		backend[n / 2].weight = 1;
		disruption(before, after, size, n / 2, &own, &others);
		assert_true(own > 0);
		assert_int_equal(others, 0);
		free(before);
		free(after);
	}
}

/* Ten times the weight is about ten times the share, and the others keep theirs in order. */
static void ring_weights(void **state)
{
	uint32_t size = ring_size(11), have[11] = {0}, *table = calloc(size, sizeof(*table));

	(void)state;
	backend[3].weight = 10;
	assert_int_equal(ring_fill(backend, 11, table), 0);
	for (uint32_t k = 0; k < size; k++)
		have[table[k]]++;
	assert_in_range(have[3], size * 4 / 10, size * 6 / 10);
	free(table);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		T(as_in_the_paper),
		T(as_by_hand),
		T(mh_at_its_default_size),
		T(mh_weights),
		T(primes),
		T(mh_skewed_is_quick),
		T(ring_moves_only_its_own),
		T(ring_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
