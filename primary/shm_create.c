/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every region is laid out by a function that only carves pieces off a base
 * address. Run with base 0 it tells the size, run with the memzone's address
 * it yields the pointers, so that the two can't differ.
 */
#include "primary/shm_create.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sluice/log.h>
#include <sluice/msg.h>
#include <sluice/owner.h>
#include <sluice/shm.h>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "primary/boot_config.h"
#include "primary/hugepages.h"
#include "primary/seed.h"
#include "primary/templates.h"

SL_LOG_TYPE(shm_log, "sluice.primary.shm");

/* EAL itself, devices' private data and descriptor rings, message buffers. */
#define OVERHEAD (UINT64_C(32) << 20)

/* What a mempool adds to each buffer: its header, and padding that spreads memory channels. */
#define BUFFER_OVERHEAD       256

#define NEIGHBOUR_BYTES       136 /* an entry and the packets that wait for it */
#define NEIGHBOUR_TABLE_BYTES 4096

struct carver {
	uintptr_t base;
	size_t used;
	bool overflow;
};

static void *carve(struct carver *c, size_t n, size_t size)
{
	uintptr_t at = c->base + c->used;
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) ||
	    __builtin_add_overflow(bytes, RTE_CACHE_LINE_SIZE - 1, &bytes) ||
	    __builtin_add_overflow(c->used, (size_t)RTE_ALIGN_FLOOR(bytes, RTE_CACHE_LINE_SIZE),
				   &c->used))
		c->overflow = true;
	return (void *)at;
}

static struct rte_ring *carve_ring(struct carver *c, unsigned int elem_size, unsigned int count)
{
	return carve(c, 1, rte_ring_get_memsize_elem(elem_size, count));
}

/* Local ports of worker w: the same in each pool. */
static uint32_t ports_per_pool(unsigned int w, unsigned int n_workers)
{
	uint32_t n = 0;

	for (uint32_t port = SL_LOCAL_PORT_MIN; port <= SL_LOCAL_PORT_MAX; port++)
		n += sl_owner_local_port(port, n_workers) == w;
	return n;
}

/* Usable places of a ring are one less than its size, and all buffers must fit. */
static uint32_t back_ring_size(uint32_t buffers)
{
	return rte_align32pow2(buffers + 1);
}

/* Both directions of every connection, eight places a bucket, at most three quarters full. */
static uint32_t bucket_count(uint32_t connections)
{
	uint32_t places = 2 * connections;

	return rte_align32pow2((places + 5) / 6);
}

static void lay_out_conns(struct carver *c, uint32_t capacity, uint32_t entry_size,
			  struct sl_conn_table *t)
{
	uint32_t buckets = bucket_count(capacity);

	t->capacity = capacity;
	t->bucket_mask = buckets - 1;
	t->entry_size = entry_size;
	t->entry = carve(c, capacity, entry_size);
	t->check = carve(c, capacity, sizeof(*t->check));
	t->bucket = carve(c, buckets, sizeof(*t->bucket));
	t->free = carve(c, capacity, sizeof(*t->free));
}

static void lay_out_rings(struct carver *c, const struct boot_config *config, unsigned int w,
			  struct sl_worker_slot *s, struct sl_pool *pool)
{
	s->command = carve_ring(c, sizeof(struct sl_command), SL_COMMAND_RING);
	s->answer = carve_ring(c, sizeof(struct sl_answer), SL_COMMAND_RING);
	for (unsigned int from = 0; from < config->n_workers; from++) {
		if (from == w)
			continue;
		s->redirect[from] = carve_ring(c, sizeof(void *), SL_REDIRECT_RING);
		s->neighbour[from] =
			carve_ring(c, sizeof(struct sl_neighbour_event), SL_NEIGHBOUR_RING);
		pool->back[from] =
			carve_ring(c, sizeof(void *), back_ring_size(config->limits.buffers));
	}
}

static size_t templates_size(const struct boot_config *config)
{
	uint32_t n = config->limits.persistence_templates;

	return rte_align32pow2(n / SL_TEMPLATES_IN_BUCKET) * sizeof(struct sl_template_bucket);
}

/* The slot comes first; `s` and `pool` are filled in but for what needs the memory itself. */
static void lay_out_slot(struct carver *c, const struct boot_config *config, unsigned int w,
			 struct sl_worker_slot *s, struct sl_pool *pool)
{
	const struct boot_limits *limits = &config->limits;

	carve(c, 1, sizeof(*s));
	s->id = w;
	s->cpu = config->worker[w].cpu;
	s->numa_node = huge_node_of_cpu(s->cpu);
	s->port_pools = limits->local_addresses * limits->port_pools_per_address;
	s->ports_per_pool = ports_per_pool(w, config->n_workers);
	s->pool = carve(c, 1, sl_pool_size(limits->buffers));
	pool->owner = w;
	pool->capacity = limits->buffers;
	lay_out_rings(c, config, w, s, pool);
	s->cursor = carve(c, limits->virtual_servers, sizeof(*s->cursor));
	s->virtual_server_stats =
		carve(c, limits->virtual_servers, sizeof(*s->virtual_server_stats));
	s->backend_stats = carve(c, limits->backends, sizeof(*s->backend_stats));
	s->server_claims = carve(c, limits->virtual_servers, sizeof(*s->server_claims));
	s->backend_claims = carve(c, limits->backends, sizeof(*s->backend_claims));
	s->ramp = carve(c, limits->backends, sizeof(*s->ramp));
	s->overload = carve(c, limits->backends, sizeof(*s->overload));
	s->port_pool = carve(c, s->port_pools, sizeof(*s->port_pool));
	s->port_ring = carve(c, s->port_pools, s->ports_per_pool * sizeof(*s->port_ring));
	s->neighbour_bytes = limits->neighbours * NEIGHBOUR_BYTES + NEIGHBOUR_TABLE_BYTES;
	s->neighbours = carve(c, 1, s->neighbour_bytes);
	s->fragments = carve(c, 1, SL_FRAGMENT_BYTES);
	lay_out_conns(c, limits->connections, sizeof(struct sl_conn), &s->conns);
	lay_out_conns(c, limits->connections_ipv6, sizeof(struct sl_conn6), &s->conns6);
}

uint16_t shm_data_room(const struct boot_config *config)
{
	uint32_t room = RTE_MBUF_DEFAULT_DATAROOM;

	for (unsigned int i = 0; i < config->n_ports; i++)
		room = RTE_MAX(room, config->port[i].mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN +
					     RTE_VLAN_HLEN);
	return RTE_PKTMBUF_HEADROOM + RTE_ALIGN_CEIL(room, RTE_CACHE_LINE_SIZE);
}

int shm_need(const struct boot_config *config, struct huge_need *need)
{
	uint64_t buffer = sizeof(struct rte_mbuf) + shm_data_room(config) + BUFFER_OVERHEAD;
	bool overflow = false;

	memset(need, 0, sizeof(*need));
	for (unsigned int w = 0; w < config->n_workers; w++) {
		struct sl_worker_slot s = {0};
		struct sl_pool pool = {0};
		struct carver c = {0};
		uint64_t *node;

		lay_out_slot(&c, config, w, &s, &pool);
		overflow |= c.overflow;
		node = &need->bytes[s.numa_node];
		if (!*node)
			*node = OVERHEAD;
		*node += c.used + config->limits.buffers * buffer;
	}
	need->bytes[huge_node_of_cpu(config->worker[0].cpu)] +=
		sizeof(struct sl_root) + 2 * config->limits.snapshot + templates_size(config);
	return overflow ? -EOVERFLOW : 0;
}

/* NULL with errno and a line in the log. */
static void *reserve(const char *name, size_t bytes, unsigned int node)
{
	const struct rte_memzone *mz =
		rte_memzone_reserve_aligned(name, bytes, node, 0, RTE_CACHE_LINE_SIZE);

	if (!mz) {
		errno = rte_errno;
		sl_log(shm_log, ERR, "%s: %zu bytes on node %u: %s", name, bytes, node,
		       rte_strerror(rte_errno));
		return NULL;
	}
	memset(mz->addr, 0, bytes);
	return mz->addr;
}

/* Cannot fail: the name is short and the size a power of two. */
static void init_ring(struct rte_ring *r, const char *what, unsigned int to, unsigned int from,
		      unsigned int count)
{
	char name[RTE_RING_NAMESIZE];
	int rc;

	snprintf(name, sizeof(name), "sl_%s%u_%u", what, to, from);
	rc = rte_ring_init(r, name, count, RING_F_SP_ENQ | RING_F_SC_DEQ);
	RTE_VERIFY(rc == 0);
}

static void init_rings(const struct boot_config *config, struct sl_worker_slot *s)
{
	init_ring(s->command, "command", s->id, SL_MAX_WORKERS, SL_COMMAND_RING);
	init_ring(s->answer, "answer", SL_MAX_WORKERS, s->id, SL_COMMAND_RING);
	for (unsigned int from = 0; from < config->n_workers; from++) {
		if (from == s->id)
			continue;
		init_ring(s->redirect[from], "redirect", s->id, from, SL_REDIRECT_RING);
		init_ring(s->neighbour[from], "neigh", s->id, from, SL_NEIGHBOUR_RING);
		init_ring(s->pool->back[from], "back", s->id, from,
			  back_ring_size(config->limits.buffers));
	}
}

static void init_conns(struct sl_conn_table *t)
{
	for (uint32_t i = 0; i < t->capacity; i++)
		t->free[i] = t->capacity - 1 - i; /* entry 0 comes out first */
	t->n_free = t->capacity;
}

/* What does not start as zeros. */
static void init_tables(const struct boot_config *config, struct sl_worker_slot *s)
{
	init_conns(&s->conns);
	init_conns(&s->conns6);
	for (uint32_t i = 0; i < config->limits.virtual_servers; i++)
		s->virtual_server_stats[i].ref = SL_REF_NONE;
	for (uint32_t i = 0; i < config->limits.backends; i++)
		s->backend_stats[i].ref = s->ramp[i].ref = SL_REF_NONE;
}

static int create_pool(const struct boot_config *config, struct sl_worker_slot *s)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "sl_pool%u", s->id);
	s->mempool = sl_pool_create(name, s->pool, shm_data_room(config), s->numa_node);
	if (s->mempool)
		return 0;
	sl_log(shm_log, ERR, "worker %u: pool of %u buffers on node %u: %s", s->id,
	       config->limits.buffers, s->numa_node, rte_strerror(rte_errno));
	return -rte_errno;
}

static struct sl_worker_slot *create_slot(const struct boot_config *config, unsigned int w)
{
	struct sl_worker_slot local = {0}, *s;
	struct sl_pool pool = {0};
	struct carver c = {0};
	char name[RTE_MEMZONE_NAMESIZE];

	snprintf(name, sizeof(name), "sl_worker%u", w);
	lay_out_slot(&c, config, w, &local, &pool);
	s = reserve(name, c.used, local.numa_node);
	if (!s)
		return NULL;
	c = (struct carver){.base = (uintptr_t)s};
	lay_out_slot(&c, config, w, &local, &pool);
	*s = local;
	*s->pool = pool;
	init_rings(config, s);
	init_tables(config, s);
	errno = -sl_lease_init(&s->lease);
	if (!errno)
		errno = -create_pool(config, s);
	return errno ? NULL : s;
}

static int create_arena(const struct boot_config *config, struct sl_arena *arena)
{
	size_t half = RTE_ALIGN_CEIL(config->limits.snapshot, RTE_CACHE_LINE_SIZE);
	char *base = reserve("sl_arena", 2 * half, huge_node_of_cpu(config->worker[0].cpu));

	if (!base)
		return -errno;
	arena->half_size = half;
	arena->half[0] = (struct sl_snapshot *)base;
	arena->half[1] = (struct sl_snapshot *)(base + half);
	return 0;
}

static int create_templates(const struct boot_config *config, struct sl_templates *t)
{
	size_t size = templates_size(config);

	t->bucket = reserve("sl_templates", size, huge_node_of_cpu(config->worker[0].cpu));
	t->bucket_mask = (uint32_t)(size / sizeof(*t->bucket)) - 1;
	return t->bucket ? 0 : -errno;
}

static int fill_root(const struct boot_config *config, struct sl_root *root)
{
	struct timespec now;

	root->abi = SL_ABI_VERSION;
	root->size = sizeof(*root);
	snprintf(root->version, sizeof(root->version), "%s", SL_VERSION);
	snprintf(root->runtime_dir, sizeof(root->runtime_dir), "%s", config->runtime_dir);
	clock_gettime(CLOCK_REALTIME, &now);
	root->boot_ns = now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
	root->primary_pid = getpid();
	root->idle_spin = config->idle_spin;
	root->n_workers = config->n_workers;
	root->n_ports = config->n_ports;
	root->max_virtual_servers = config->limits.virtual_servers;
	root->max_backends = config->limits.backends;
	root->max_local_addresses = config->limits.local_addresses;
	root->port_pools_per_address = config->limits.port_pools_per_address;
	root->max_neighbours = config->limits.neighbours;
	root->buffers = config->limits.buffers;
	if (seed_get(config->runtime_dir, &root->seed))
		return -EIO;
	if (create_arena(config, &root->arena) || create_templates(config, &root->templates))
		return -ENOMEM;
	templates_load(root);
	return 0;
}

struct sl_root *shm_create(const struct boot_config *config)
{
	struct sl_root *root =
		reserve(SL_ROOT_MEMZONE, sizeof(*root), huge_node_of_cpu(config->worker[0].cpu));

	if (!root || fill_root(config, root))
		return NULL;
	for (unsigned int w = 0; w < config->n_workers; w++) {
		root->worker[w] = create_slot(config, w);
		if (!root->worker[w])
			return NULL;
	}
	return root;
}

void shm_publish(struct sl_root *root)
{
	__atomic_store_n(&root->magic, SL_ROOT_MAGIC, __ATOMIC_RELEASE);
}
