/* SPDX-License-Identifier: BSD-3-Clause */
/* Local ports: who owns which, each once, oldest first, across deaths and new addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sluice/owner.h>

#include "secondary/local_port.h"
#include "tests/unit/lib/bed.h"

static const struct sl_local_address local = {.ref = SL_REF(1, 1), .addr = SL_ADDR_V4(0x0a3364c6)};
/* Backends of different groups; and one of another pool that is the first's server. */
static const struct sl_backend even = {.ref = SL_REF(4, 1), .addr = SL_ADDR_V4(0x0a6433c6)},
			       odd = {.ref = SL_REF(5, 1), .addr = SL_ADDR_V4(0x0b6433c6)},
			       again = {.ref = SL_REF(6, 1), .addr = SL_ADDR_V4(0x0a6433c6)};

static uint16_t take(struct bed *b, const struct sl_local_address *from,
		     const struct sl_backend *backend, uint16_t *pool)
{
	return local_port_take(&b->worker, from, local_port_group(&backend->addr), pool);
}

/* Every worker's ports together are the whole range, once each, and each is its owner's. */
static void share_the_range(void **state)
{
	(void)state;
	for (unsigned int n = 1; n <= SL_MAX_WORKERS; n++) {
		uint32_t total = 0;
		uint8_t *seen = calloc(65536, 1);

		for (unsigned int id = 0; id < n; id++) {
			struct bed *b = bed_new(n, 1024, 512);
			uint16_t pool, port;

			b->worker.id = id;
			b->slot.ports_per_pool = 0;
			for (uint32_t p = SL_LOCAL_PORT_MIN; p <= SL_LOCAL_PORT_MAX; p++)
				b->slot.ports_per_pool += sl_owner_local_port((uint16_t)p, n) == id;
			free(b->worker.ports_used);
			assert_int_equal(local_port_prepare(&b->worker), 0);
			while ((port = take(b, &local, &even, &pool))) {
				assert_true(port >= SL_LOCAL_PORT_MIN);
				assert_int_equal(sl_owner_local_port(port, n), id);
				assert_int_equal(seen[port]++, 0);
				total++;
			}
			bed_free(b);
		}
		assert_int_equal(total, SL_LOCAL_PORT_MAX - SL_LOCAL_PORT_MIN + 1);
		free(seen);
	}
}

static void oldest_first(void **state)
{
	struct bed *b = bed_new(2, 1024, 512);
	uint16_t pool, first, second;

	(void)state;
	first = take(b, &local, &even, &pool);
	second = take(b, &local, &even, &pool);
	while (take(b, &local, &even, &pool))
		;
	local_port_put(&b->worker, pool, &local.addr, second);
	local_port_put(&b->worker, pool, &local.addr, first);
	assert_int_equal(take(b, &local, &even, &pool), second);
	assert_int_equal(take(b, &local, &even, &pool), first);
	assert_int_equal(take(b, &local, &even, &pool), 0);
	bed_free(b);
}

/* The same port serves backends of different pools at once. */
static void pools_by_backend(void **state)
{
	struct bed *b = bed_new(2, 1024, 512);
	uint16_t pool_even, pool_odd;

	(void)state;
	assert_int_equal(take(b, &local, &even, &pool_even), take(b, &local, &odd, &pool_odd));
	assert_int_not_equal(pool_even, pool_odd);
	bed_free(b);
}

/* Two pools may have one server for a backend: no two connections to it have one local endpoint. */
static void one_pool_by_server(void **state)
{
	struct bed *b = bed_new(2, 1024, 512);
	uint16_t pool, same;

	(void)state;
	assert_int_not_equal(take(b, &local, &even, &pool), take(b, &local, &again, &same));
	assert_int_equal(pool, same);
	bed_free(b);
}

static void another_address(void **state)
{
	struct sl_local_address other = {.ref = SL_REF(1, 2), .addr = SL_ADDR_V4(0x0b3364c6)};
	struct bed *b = bed_new(2, 1024, 512);
	uint16_t pool, old = take(b, &local, &even, &pool);

	(void)state;
	assert_false(local_port_doubtful(&b->worker, pool));
	take(b, &other, &even, &pool);
	assert_true(local_port_doubtful(&b->worker, pool));
	/* the former address's connection ends: its port is not the new address's */
	local_port_put(&b->worker, pool, &local.addr, old);
	assert_int_equal(b->slot.port_pool[pool].tail, 0);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share_the_range),  cmocka_unit_test(oldest_first),
		cmocka_unit_test(pools_by_backend), cmocka_unit_test(one_pool_by_server),
		cmocka_unit_test(another_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
