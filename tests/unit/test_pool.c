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
static struct rte_ring *redirect[2][2]; /* [to][from] */

static struct rte_ring *new_ring(unsigned int size)
{
	struct rte_ring *r = aligned_alloc(64, (size_t)rte_ring_get_memsize(size));

	assert_non_null(r);
	rte_ring_init(r, "ring", size, RING_F_SP_ENQ | RING_F_SC_DEQ);
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
		pools[i]->back[!i] = new_ring(CAPACITY + 1);
		redirect[i][!i] = new_ring(64);
		mempool[i] = sl_pool_create(i ? "one" : "zero", pools[i], 2048, SOCKET_ID_ANY);
		if (!mempool[i])
			return -1;
	}
	return sl_pool_prepare(pools, 2);
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

static uint8_t *mark(struct rte_mbuf *m)
{
	return (uint8_t *)m + pools[0]->mark_offset;
}

/* Worker `id` has died; here it is again. */
static void die(unsigned int id)
{
	struct rte_ring *in[2] = {redirect[id][0], redirect[id][1]};
	struct rte_ring *out[2] = {redirect[0][id], redirect[1][id]};

	sl_pool_act_as(id);
	sl_pool_repair(pools, 2, id, in, out);
}

static void settle(unsigned int id)
{
	sl_pool_act_as(id);
	sl_pool_settle(pools, 2, id);
	assert_int_equal(pools[id]->quarantined, 0);
}

static void collect(unsigned int id)
{
	sl_pool_act_as(id);
	while (sl_pool_collect(pools[id]))
		;
}

/* Each buffer once on its stack, with its mark. */
static void whole(unsigned int id)
{
	struct rte_mbuf *m[CAPACITY];

	collect(id);
	assert_int_equal(pools[id]->count, CAPACITY);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mempool[id], m, CAPACITY), 0);
	for (int i = 0; i < CAPACITY; i++) {
		assert_int_equal(*mark(m[i]), 0);
		m[i]->hash.usr = 0;
	}
	for (int i = 0; i < CAPACITY; i++)
		assert_int_equal(m[i]->hash.usr++, 0);
	rte_pktmbuf_free_bulk(m, CAPACITY);
}

/* Places of the ring back are claimed and not published, or read and not released. */
static void torn_ring(void **state)
{
	struct rte_ring *back = pools[0]->back[1];
	struct rte_mbuf *m[2];

	(void)state;
	sl_pool_act_as(0);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mempool[0], m, 2), 0);
	assert_int_equal(sl_pool_lend(pools[0], redirect[1][0], 1, m, 2), 2);
	sl_pool_act_as(1);
	assert_int_equal(sl_pool_borrow(pools[1], redirect[1][0], m, 2), 2);
	rte_pktmbuf_free(m[0]);
	/* the second died on its way: written, marked, not published */
	((void **)&back[1])[back->prod.tail & back->mask] = m[1];
	back->prod.head++;
	*mark(m[1]) = *mark(m[0]);
	die(1);
	assert_int_equal(rte_ring_count(back), 1);
	settle(1);
	assert_int_equal(rte_ring_count(back), 2);
	/* the owner marked what it read, and died */
	*mark(m[0]) = 0;
	die(0);
	assert_int_equal(pools[0]->quarantined, 0);
	whole(0);
}

/* What the dead one had in its hands comes back when the devices have had their say, not before. */
static void quarantine(void **state)
{
	struct rte_mbuf *m[5], *fresh;

	(void)state;
	sl_pool_act_as(0);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mempool[0], m, 5), 0);
	die(0);
	assert_int_equal(pools[0]->quarantined, 5);
	assert_int_equal(pools[0]->count, CAPACITY - 5);
	sl_pool_delivered(pools[0], &m[0], 1); /* was in a receive queue */
	rte_pktmbuf_free(m[1]);                /* was in a transmit queue */
	assert_int_equal(pools[0]->quarantined, 3);
	fresh = rte_pktmbuf_alloc(mempool[0]); /* the same one again, in new hands */
	assert_ptr_equal(fresh, m[1]);
	die(0); /* and again, before the end */
	assert_int_equal(pools[0]->quarantined, 5);
	sl_pool_delivered(pools[0], m, 2);
	assert_int_equal(sl_pool_settle(pools, 2, 0), 3);
	rte_pktmbuf_free_bulk(m, 2);
	whole(0);
}

/* Random traffic between two workers, each of which dies now and then: nothing is ever lost. */
static void random_deaths(void **state)
{
	struct rte_mbuf *m[8];
	unsigned int seed = 7;

	(void)state;
	for (int step = 0; step < 200000; step++) {
		unsigned int id = (unsigned int)rand_r(&seed) % 2;
		unsigned int n = (unsigned int)rand_r(&seed) % 8 + 1, k;
		struct rte_ring *to = redirect[!id][id];

		sl_pool_act_as(id);
		sl_pool_collect(pools[id]);
		k = sl_pool_borrow(pools[id], redirect[id][!id], m, n);
		/* a death with these in hand, or they are passed on home */
		if (rand_r(&seed) % 16)
			rte_pktmbuf_free_bulk(m, k);
		else
			die(id);
		if (rte_pktmbuf_alloc_bulk(mempool[id], m, n))
			continue;
		k = sl_pool_lend(pools[id], to, !id, m, n);
		if (rand_r(&seed) % 16)
			rte_pktmbuf_free_bulk(&m[k], n - k);
		else
			die(id);
		if (rand_r(&seed) % 64 == 0)
			settle(id);
	}
	for (unsigned int id = 0; id < 2; id++) {
		unsigned int n;

		sl_pool_act_as(id);
		while ((n = sl_pool_borrow(pools[id], redirect[id][!id], m, 8)))
			rte_pktmbuf_free_bulk(m, n);
		settle(id);
	}
	whole(0);
	whole(1);
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
		cmocka_unit_test(owner_only),    cmocka_unit_test(guest_gives_back),
		cmocka_unit_test(torn_ring),     cmocka_unit_test(quarantine),
		cmocka_unit_test(random_deaths), cmocka_unit_test(lease_of_the_dead),
	};

	return cmocka_run_group_tests(tests, make_pools, NULL);
}
