/* SPDX-License-Identifier: BSD-3-Clause */
/* Incremental checksums against whole ones, the odd sums included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sluice/csum.h>

static uint16_t whole(const uint16_t *word, unsigned int n)
{
	uint32_t sum = 0;

	while (n--)
		sum += *word++;
	return (uint16_t)~sl_csum_fold(sum);
}

static void known(void **state)
{
	/* RFC 1071 section 3: the sum of 0001 f203 f4f5 f6f7 is ddf2 */
	const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	uint16_t words[4], sum;
	const uint8_t *s = (const uint8_t *)&sum;

	(void)state;
	memcpy(words, bytes, sizeof(words));
	sum = (uint16_t)~whole(words, 4);
	assert_int_equal(s[0], 0xdd);
	assert_int_equal(s[1], 0xf2);
}

static void fold_edges(void **state)
{
	(void)state;
	assert_int_equal(sl_csum_fold(0), 0);
	assert_int_equal(sl_csum_fold(0xffff), 0xffff);
	assert_int_equal(sl_csum_fold(0x10000), 1);
	assert_int_equal(sl_csum_fold(0x1ffff), 1);
	assert_int_equal(sl_csum_fold(0xffffffff), 0xffff);
}

/* A word whose value is often at the edges. */
static uint16_t edgy(void)
{
	static const uint16_t edges[] = {0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff};

	return rand() % 3 ? (uint16_t)rand() : edges[rand() % 6];
}

static void random_changes(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 1000000; i++) {
		uint16_t before[5], after[5], fresh, moved;
		uint32_t from, to, delta;

		for (int k = 0; k < 5; k++)
			before[k] = edgy();
		before[4] |= 1; /* a header is never all zero */
		memcpy(after, before, sizeof(after));
		for (int k = 0; k < 3; k++)
			after[k] = edgy();
		memcpy(&from, before, sizeof(from));
		memcpy(&to, after, sizeof(to));
		delta = sl_csum_delta32(from, to) + sl_csum_delta16(before[2], after[2]);
		moved = sl_csum_apply(whole(before, 5), sl_csum_fold(delta));
		fresh = whole(after, 5);
		/* 0 and 0xffff are the same number; RFC 1624 section 3 says which one comes out */
		if (moved != fresh)
			assert_true((moved ^ fresh) == 0xffff && (moved == 0 || fresh == 0));
		assert_int_equal(sl_csum_fold((uint16_t)~whole(after, 5) + (uint32_t)moved),
				 0xffff);
	}
}

/* Every field with every 251st difference and the edges: the equation as it is written. */
static void as_rfc1624_says(void **state)
{
	(void)state;
	for (uint32_t k = 0; k <= 0xffff; k += k < 4 || k > 0xfff0 ? 1 : 251) {
		for (uint32_t field = 0; field <= 0xffff; field++) {
			uint16_t want = (uint16_t)~sl_csum_fold((uint16_t)~field + k);

			assert_int_equal(sl_csum_apply((uint16_t)field, (uint16_t)k), want);
			if (field)
				assert_int_equal(sl_csum_apply_udp((uint16_t)field, (uint16_t)k),
						 want ? want : 0xffff);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known),
		cmocka_unit_test(fold_edges),
		cmocka_unit_test(random_changes),
		cmocka_unit_test(as_rfc1624_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
