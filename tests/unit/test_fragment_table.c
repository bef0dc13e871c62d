/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places in datagrams against a naive model (a mark for each byte), and what bounds the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "secondary/fragment_table.h"
#include "tests/unit/lib/bed.h"

#define DATAGRAMS 3000
#define UNITS     64 /* of 8 bytes, of a datagram */
#define PIECES    40

static struct bed *bed;
static unsigned int random_state = 11;

static int set_up(void **state)
{
	(void)state;
	bed = bed_new(1, 64, 32);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bed_free(bed);
	return 0;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&random_state) % n;
}

static struct fragment_key key_of(uint32_t source, uint32_t id)
{
	return (struct fragment_key){.source = sl_addr_of_v4(source),
				     .destination = sl_addr_of_v4(7),
				     .id = id,
				     .proto = IPPROTO_UDP};
}

static enum sl_drop_reason take(const struct fragment_key *key, uint32_t first, uint32_t end,
				bool more, struct fragment_datagram **d)
{
	struct fragment_range r = {(uint16_t)(8 * first), (uint16_t)(8 * end)};

	return fragment_table_take(&bed->worker, key, r, more, d);
}

/* What a datagram has, by units: who brought it. */
struct model {
	uint32_t unit[UNITS + 1];
	uint32_t pieces, length, end, taken;
	struct {
		uint32_t first, end;
	} piece[PIECES];
	bool broken;
};

static enum sl_drop_reason expected(struct model *m, uint32_t first, uint32_t end, bool more)
{
	bool overlaps = m->broken;

	if (m->length && (end > m->length || (!more && end != m->length)))
		overlaps = true;
	if (!m->length && !more && m->end > end)
		overlaps = true;
	if (!overlaps)
		for (uint32_t i = 0; i < m->pieces; i++)
			if (m->piece[i].first == first && m->piece[i].end == end)
				return SL_DROP_FRAGMENT_DUPLICATE;
	for (uint32_t i = first; i < end; i++)
		overlaps |= m->unit[i] != 0;
	if (overlaps) {
		m->broken = true;
		return SL_DROP_FRAGMENT_OVERLAP;
	}
	for (uint32_t i = first; i < end; i++)
		m->unit[i] = 1;
	m->piece[m->pieces].first = first;
	m->piece[m->pieces++].end = end;
	m->end = end > m->end ? end : m->end;
	m->taken += end - first;
	if (!more)
		m->length = end;
	return FRAGMENT_TAKEN;
}

static void agrees_with_marks(void **state)
{
	uint32_t complete = 0, broken = 0;

	(void)state;
	for (uint32_t n = 0; n < DATAGRAMS; n++) {
		struct fragment_key key = key_of(n, n);
		struct model m = {0};
		bool hostile = n % 2;

		for (uint32_t i = 0; i < PIECES; i++) {
			uint32_t first = 4 * below(UNITS / 4), end = first + 4;
			struct fragment_datagram *d;

			if (hostile && !below(8)) {
				first = below(UNITS);
				end = first + 1 + below(UNITS - first);
			}
			assert_int_equal(take(&key, first, end, end != UNITS, &d),
					 expected(&m, first, end, end != UNITS));
			assert_int_equal(d->state == FRAGMENT_BROKEN, m.broken);
			assert_int_equal(d->bytes, 8 * m.taken);
		}
		complete += m.taken == UNITS;
		broken += m.broken;
		bed->worker.clock.tick += FRAGMENT_TIMEOUT;
		fragment_table_expire(&bed->worker);
		assert_int_equal(bed->worker.fragments->live, 0);
	}
	assert_true(complete > 10 && broken > DATAGRAMS / 4);
}

static void forgets_what_is_whole(void **state)
{
	static const struct fragment_flow flow = {.proto = IPPROTO_UDP};
	struct fragment_key key = key_of(1, 1);
	struct fragment_datagram *d;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(take(&key, 3 - i, 4 - i, i != 0, &d), FRAGMENT_TAKEN);
		fragment_table_done(&bed->worker, d);
		assert_int_equal(bed->worker.fragments->live, 1);
	}
	fragment_table_know(&bed->worker, d, &flow);
	fragment_table_done(&bed->worker, d);
	assert_int_equal(bed->worker.fragments->live, 0);
}

/* Two hosts have FRAGMENT_WAYS datagrams; the oldest gives way, and other hosts' stay. */
static void bounded_by_pair(void **state)
{
	struct fragment_key other = key_of(1, 0), key;
	struct fragment_datagram *d;
	uint32_t kept = 0;

	(void)state;
	assert_int_equal(take(&other, 0, 1, true, &d), FRAGMENT_TAKEN);
	for (uint32_t id = 0; id < 10 * FRAGMENT_WAYS; id++) {
		bed->worker.clock.tick += id % FRAGMENT_WAYS == 0;
		key = key_of(2, id);
		assert_int_equal(take(&key, 0, 1, true, &d), FRAGMENT_TAKEN);
	}
	assert_int_equal(bed->worker.fragments->live, FRAGMENT_WAYS + 1);
	assert_int_equal(bed->worker.stats->fragments_displaced, 9 * FRAGMENT_WAYS);
	for (uint32_t id = 9 * FRAGMENT_WAYS; id < 10 * FRAGMENT_WAYS; id++) {
		key = key_of(2, id);
		kept += take(&key, 0, 1, true, &d) == SL_DROP_FRAGMENT_DUPLICATE;
	}
	assert_int_equal(kept, FRAGMENT_WAYS);
	assert_int_equal(take(&other, 0, 1, true, &d), SL_DROP_FRAGMENT_DUPLICATE);
}

static void bounded_in_pieces(void **state)
{
	struct fragment_key key = key_of(1, 1);
	struct fragment_datagram *d;

	(void)state;
	for (uint32_t i = 0; i < FRAGMENTS_MAX; i++)
		assert_int_equal(take(&key, 2 * i, 2 * i + 1, true, &d), FRAGMENT_TAKEN);
	assert_int_equal(take(&key, 1, 2, true, &d), SL_DROP_FRAGMENT_TOO_MANY);
	assert_int_equal(d->n, FRAGMENTS_MAX);
}

/* A hand-over keeps what there is; who comes after a death begins anew. */
static void outlives_a_hand_over(void **state)
{
	struct fragment_key key = key_of(1, 1);
	struct fragment_datagram *d;

	(void)state;
	assert_int_equal(take(&key, 0, 1, true, &d), FRAGMENT_TAKEN);
	bed_attach(bed);
	assert_int_equal(take(&key, 0, 1, true, &d), SL_DROP_FRAGMENT_DUPLICATE);
	fragment_table_attach(&bed->worker, true);
	assert_int_equal(bed->worker.fragments->live, 0);
	assert_int_equal(take(&key, 0, 1, true, &d), FRAGMENT_TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(agrees_with_marks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forgets_what_is_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounded_by_pair, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounded_in_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(outlives_a_hand_over, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("fragment_table", tests, NULL, NULL);
}
