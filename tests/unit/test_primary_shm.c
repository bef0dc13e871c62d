/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared memory as created: regions apart, sizes as configured, and who may attach. */
#include "primary/shm_create.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sluice/msg.h>
#include <sluice/owner.h>
#include <sluice/shm.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>
#include <rte_ring.h>

#include "primary/boot_config.h"
#include "primary/eal.h"
#include "primary/hugepages.h"

#define WORKERS 3

static struct boot_config config = {
	.instance = "sluice-unit-shm",
	.hugepages = {.directory = "/dev/hugepages"},
	.runtime_dir = "/tmp/sluice-shm-XXXXXX",
	.port = {{.mtu = 1500}, {.mtu = 9000}},
	.n_ports = 2,
	.n_workers = WORKERS,
	.limits = {.connections = 1500,
		   .connections_ipv6 = 1100,
		   .buffers = 1024,
		   .neighbours = 17,
		   .virtual_servers = 5,
		   .backends = 7,
		   .local_addresses = 2,
		   .port_pools_per_address = 3,
		   .persistence_templates = 1100,
		   .snapshot = 65536},
};
static struct sl_root *root;

static int start(void **state)
{
	char *argv[] = {"test",
			"--no-huge",
			"-m",
			"96",
			"--no-pci",
			"--no-telemetry",
			"--file-prefix=sluice-unit-shm",
			"--log-level=lib.*:warning",
			"--no-shconf",
			"--lcores=0"};

	(void)state;
	if (!mkdtemp(config.runtime_dir) || setenv("RUNTIME_DIRECTORY", config.runtime_dir, 1))
		return -1;
	return rte_eal_init(RTE_DIM(argv), argv) < 0;
}

static int stop(void **state)
{
	char seed[PATH_MAX];

	(void)state;
	eal_leave(&config);
	snprintf(seed, sizeof(seed), "%s/seed", config.runtime_dir);
	unlink(seed);
	return rmdir(config.runtime_dir);
}

static void creates(void **state)
{
	char why[256];

	(void)state;
	root = shm_create(&config);
	assert_non_null(root);
	assert_null(sl_root_attach(why, sizeof(why)));
	assert_non_null(strstr(why, "no shared memory"));
	shm_publish(root);
	assert_ptr_equal(sl_root_attach(why, sizeof(why)), root);
	root->abi++;
	assert_null(sl_root_attach(why, sizeof(why)));
	assert_non_null(strstr(why, "shared-memory ABI"));
	root->abi--;
}

static void root_says_the_limits(void **state)
{
	(void)state;
	assert_true(strlen(root->version) > 0);
	assert_string_equal(root->runtime_dir, config.runtime_dir);
	assert_int_equal(root->n_workers, WORKERS);
	assert_int_equal(root->max_virtual_servers, 5);
	assert_int_equal(root->max_backends, 7);
	assert_int_equal(root->max_local_addresses, 2);
	assert_int_equal(root->port_pools_per_address, 3);
	assert_int_equal(root->max_neighbours, 17);
	assert_int_equal(root->buffers, 1024);
	assert_int_equal(root->arena.half_size, 65536);
	assert_ptr_equal((char *)root->arena.half[0] + 65536, root->arena.half[1]);
	assert_int_equal(root->arena.current, 0);
	assert_true(root->seed != 0);
}

struct region {
	uintptr_t start;
	size_t len;
};

static int by_start(const void *a, const void *b)
{
	const struct region *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void note(struct region *r, unsigned int *n, const void *start, size_t len)
{
	assert_non_null(start);
	assert_int_equal((uintptr_t)start % RTE_CACHE_LINE_SIZE, 0);
	r[(*n)++] = (struct region){(uintptr_t)start, len};
}

static void note_conns(struct region *r, unsigned int *n, const struct sl_conn_table *t,
		       uint32_t capacity, uint32_t entry_size)
{
	assert_int_equal(t->entry_size, entry_size);
	note(r, n, t->entry, (size_t)capacity * entry_size);
	note(r, n, t->check, capacity * sizeof(*t->check));
	note(r, n, t->bucket, (t->bucket_mask + 1) * sizeof(struct sl_conn_bucket));
	note(r, n, t->free, capacity * sizeof(*t->free));
}

static unsigned int regions_of(const struct sl_worker_slot *s, struct region *r)
{
	unsigned int n = 0;

	note(r, &n, s, sizeof(*s));
	note(r, &n, s->pool, sl_pool_size(1024));
	note(r, &n, s->command, rte_ring_get_memsize(64));
	note(r, &n, s->answer, rte_ring_get_memsize(64));
	note(r, &n, s->cursor, 5 * 4);
	note(r, &n, s->virtual_server_stats, 5 * sizeof(struct sl_flow_stats));
	note(r, &n, s->backend_stats, 7 * sizeof(struct sl_flow_stats));
	note(r, &n, s->port_pool, 6 * sizeof(struct sl_port_pool));
	note(r, &n, s->port_ring, (size_t)6 * 2 * s->ports_per_pool);
	note(r, &n, s->neighbours, s->neighbour_bytes);
	note_conns(r, &n, &s->conns, 1500, sizeof(struct sl_conn));
	note_conns(r, &n, &s->conns6, 1100, sizeof(struct sl_conn6));
	for (unsigned int w = 0; w < WORKERS; w++) {
		if (w == s->id)
			continue;
		note(r, &n, s->redirect[w], rte_ring_get_memsize(SL_REDIRECT_RING));
		note(r, &n, s->neighbour[w], rte_ring_get_memsize(SL_NEIGHBOUR_RING));
		note(r, &n, s->pool->back[w], rte_ring_get_memsize(2048));
	}
	return n;
}

static void regions_are_apart(void **state)
{
	(void)state;
	for (unsigned int w = 0; w < WORKERS; w++) {
		const struct rte_memzone *mz;
		struct region r[64];
		unsigned int n = regions_of(root->worker[w], r);
		char name[RTE_MEMZONE_NAMESIZE];

		snprintf(name, sizeof(name), "sl_worker%u", w);
		mz = rte_memzone_lookup(name);
		assert_non_null(mz);
		qsort(r, n, sizeof(r[0]), by_start);
		assert_int_equal(r[0].start, (uintptr_t)mz->addr);
		for (unsigned int i = 1; i < n; i++)
			assert_true(r[i - 1].start + r[i - 1].len <= r[i].start);
		assert_true(r[n - 1].start + r[n - 1].len <= (uintptr_t)mz->addr + mz->len);
	}
}

static void start_free(const struct sl_conn_table *t, uint32_t capacity)
{
	uint32_t buckets = t->bucket_mask + 1;

	assert_int_equal(t->capacity, capacity);
	assert_int_equal(t->n_free, capacity);
	for (uint32_t i = 0; i < t->capacity; i++) {
		assert_int_equal(t->free[t->n_free - 1 - i], i);
		assert_int_equal(t->check[i], 0);
	}
	assert_int_equal(buckets & t->bucket_mask, 0);
	assert_true(2 * t->capacity <= buckets * SL_CONN_BUCKET_SLOTS * 3 / 4);
}

static void connections_start_free(void **state)
{
	(void)state;
	start_free(&root->worker[1]->conns, 1500);
	start_free(&root->worker[1]->conns6, 1100);
}

static void ports_are_shared_out(void **state)
{
	uint32_t total = 0;

	(void)state;
	for (unsigned int w = 0; w < WORKERS; w++) {
		assert_int_equal(root->worker[w]->port_pools, 6);
		total += root->worker[w]->ports_per_pool;
	}
	assert_int_equal(total, SL_LOCAL_PORT_MAX - SL_LOCAL_PORT_MIN + 1);
}

static void pools_are_full(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int w = 0; w < WORKERS; w++) {
		const struct sl_worker_slot *s = root->worker[w];

		assert_int_equal(s->pool->owner, w);
		assert_int_equal(s->pool->count, 1024);
		assert_true(rte_pktmbuf_data_room_size(s->mempool) >=
			    9000 + RTE_ETHER_HDR_LEN + RTE_PKTMBUF_HEADROOM);
		sl_pool_act_as((w + 1) % WORKERS);
		assert_null(rte_pktmbuf_alloc(s->mempool));
		sl_pool_act_as(w);
		m = rte_pktmbuf_alloc(s->mempool);
		assert_non_null(m);
		rte_pktmbuf_free(m);
		assert_int_equal(s->pool->count, 1024);
		assert_true(rte_ring_get_capacity(s->pool->back[(w + 1) % WORKERS]) >= 1024);
	}
}

static void leases_are_free(void **state)
{
	bool died;

	(void)state;
	for (unsigned int w = 0; w < WORKERS; w++) {
		assert_int_equal(sl_lease_acquire(&root->worker[w]->lease, 0, &died), 0);
		assert_false(died);
		sl_lease_release(&root->worker[w]->lease);
	}
}

/* What is asked of the machine must cover what was taken. */
static void need_covers_use(void **state)
{
	struct huge_need need;
	uint64_t used = 0, asked = 0;

	(void)state;
	assert_int_equal(shm_need(&config, &need), 0);
	for (unsigned int node = 0; node < RTE_MAX_NUMA_NODES; node++)
		asked += need.bytes[node];
	for (unsigned int w = 0; w < WORKERS; w++) {
		const struct rte_mempool *mp = root->worker[w]->mempool;

		used += (uint64_t)mp->populated_size *
			(mp->header_size + mp->elt_size + mp->trailer_size);
	}
	used += rte_memzone_lookup("sl_worker0")->len * WORKERS;
	used += rte_memzone_lookup("sl_arena")->len + sizeof(struct sl_root);
	used += rte_memzone_lookup("sl_templates")->len;
	assert_true(asked > used);
	assert_true(asked < used + (UINT64_C(64) << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creates),
		cmocka_unit_test(root_says_the_limits),
		cmocka_unit_test(regions_are_apart),
		cmocka_unit_test(connections_start_free),
		cmocka_unit_test(ports_are_shared_out),
		cmocka_unit_test(pools_are_full),
		cmocka_unit_test(leases_are_free),
		cmocka_unit_test(need_covers_use),
	};

	return cmocka_run_group_tests_name("primary_shm", tests, start, stop);
}
