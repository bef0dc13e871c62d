/* SPDX-License-Identifier: BSD-3-Clause */
/* Single-owner pools and the lease: who may take, how buffers come back, what a death leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <sluice/lease.h>
#include <sluice/pool.h>

#define CAPACITY 1023

static struct sl_pool *pools[2];
static struct rte_mempool *mempool[2];

static struct rte_ring *new_ring(void)
{
	struct rte_ring *r = aligned_alloc(64, (size_t)rte_ring_get_memsize(CAPACITY + 1));

	assert_non_null(r);
	rte_ring_init(r, "back", CAPACITY + 1, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return r;
}

static int make_pools(void **state)
{
	char *args[] = {"test_pool",      "--no-huge",  "--no-shconf",       "-m", "64", "--no-pci",
			"--no-telemetry", "--lcores=0", "--log-level=error", NULL};

	(void)state;
	if (rte_eal_init(9, args) < 0)
		return -1;
	for (unsigned int i = 0; i < 2; i++) {
		pools[i] = calloc(1, sl_pool_size(CAPACITY));
		pools[i]->owner = i;
		pools[i]->capacity = CAPACITY;
		pools[i]->back[!i] = new_ring();
		mempool[i] = sl_pool_create(i ? "one" : "zero", pools[i], 2048, SOCKET_ID_ANY);
		if (!mempool[i])
			return -1;
	}
	return 0;
}

static void owner_only(void **state)
{
	struct rte_mbuf *m[CAPACITY + 1];

	(void)state;
	sl_pool_act_as(0);
	assert_int_equal(pools[0]->count, CAPACITY);
	assert_null(rte_pktmbuf_alloc(mempool[1]));
	for (int i = 0; i < CAPACITY; i++)
		assert_non_null(m[i] = rte_pktmbuf_alloc(mempool[0]));
	assert_null(rte_pktmbuf_alloc(mempool[0]));
	rte_pktmbuf_free_bulk(m, CAPACITY);
	assert_int_equal(pools[0]->count, CAPACITY);
}

/* What a guest frees comes home by the ring, all of it, each once. */
static void guest_gives_back(void **state)
{
	struct rte_mbuf *m[CAPACITY];

	(void)state;
	sl_pool_act_as(0);
	for (int i = 0; i < CAPACITY; i++)
		m[i] = rte_pktmbuf_alloc(mempool[0]);
	sl_pool_act_as(1);
	rte_pktmbuf_free_bulk(m, CAPACITY);
	assert_int_equal(pools[0]->count, 0);
	sl_pool_act_as(0);
	while (sl_pool_collect(pools[0]))
		;
	assert_int_equal(pools[0]->count, CAPACITY);
	for (int i = 0; i < CAPACITY; i++) {
		m[i] = rte_pktmbuf_alloc(mempool[0]);
		assert_int_equal(rte_mbuf_refcnt_read(m[i]), 1);
		m[i]->hash.usr = 0;
	}
	for (int i = 0; i < CAPACITY; i++)
		assert_int_equal(m[i]->hash.usr++, 0);
	rte_pktmbuf_free_bulk(m, CAPACITY);
}

/* A guest died between claiming places of the ring and publishing them; an owner while collecting.
 */
static void torn_ring(void **state)
{
	struct rte_ring *back = pools[0]->back[1];
	struct rte_mbuf *m[2];

	(void)state;
	sl_pool_act_as(0);
	m[0] = rte_pktmbuf_alloc(mempool[0]);
	m[1] = rte_pktmbuf_alloc(mempool[0]);
	back->prod.head += 3;
	sl_pool_repair(pools, 2, 1);
	sl_pool_act_as(1);
	rte_pktmbuf_free_bulk(m, 2);
	assert_int_equal(rte_ring_count(back), 2);
	back->cons.head += 2;
	sl_pool_repair(pools, 2, 0);
	sl_pool_act_as(0);
	assert_int_equal(sl_pool_collect(pools[0]), 2);
	assert_int_equal(pools[0]->count, CAPACITY);
}

static void lease_of_the_dead(void **state)
{
	struct sl_lease *lease = mmap(NULL, sizeof(*lease), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool died = true;
	int ready[2];
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(sl_lease_init(lease), 0);
	assert_int_equal(sl_lease_acquire(lease, 100, &died), 0);
	assert_false(died);
	sl_lease_release(lease);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		sl_lease_acquire(lease, 100, &died);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(sl_lease_acquire(lease, 50, &died), -ETIMEDOUT);
	kill(child, SIGKILL);
	assert_int_equal(sl_lease_acquire(lease, 2000, &died), 0);
	assert_true(died);
	waitpid(child, NULL, 0);
	sl_lease_release(lease);
	assert_int_equal(sl_lease_acquire(lease, 100, &died), 0);
	assert_false(died);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owner_only),
		cmocka_unit_test(guest_gives_back),
		cmocka_unit_test(torn_ring),
		cmocka_unit_test(lease_of_the_dead),
	};

	return cmocka_run_group_tests(tests, make_pools, NULL);
}
