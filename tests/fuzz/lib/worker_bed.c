/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/lib/worker_bed.h"

#include <sanitizer/asan_interface.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ring_elem.h>

#include <sluice/msg.h>
#include <sluice/pool.h>

#include "secondary/fragment_table.h"
#include "secondary/l4.h"
#include "tests/fuzz/lib/fuzz.h"

#define CONNECTIONS 64 /* few, so that the table fills up */
#define BUCKETS     32
#define BACKENDS    6
#define POOL_OPS    "fuzz_poison"

struct fuzz_ports fuzz_ports;

static struct sl_pool *pool[2];
static struct rte_mempool *mempool[2];
static struct rte_ring *redirect[2], *neighbour[2]; /* to worker [i], from the other */
static struct sl_worker_slot peer;
static int32_t owner_ops;

/* ---- pools ---- */

static int put(struct rte_mempool *mp, void *const *objects, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *m = objects[i];

		ASAN_UNPOISON_MEMORY_REGION(m->buf_addr, m->buf_len);
	}
	return rte_mempool_get_ops(owner_ops)->enqueue(mp, objects, n);
}

static int get(struct rte_mempool *mp, void **objects, unsigned int n)
{
	return rte_mempool_get_ops(owner_ops)->dequeue(mp, objects, n);
}

static unsigned int count(const struct rte_mempool *mp)
{
	return rte_mempool_get_ops(owner_ops)->get_count(mp);
}

static int alloc(struct rte_mempool *mp)
{
	(void)mp;
	return 0;
}

static const struct rte_mempool_ops poison_ops = {
	.name = POOL_OPS,
	.alloc = alloc,
	.enqueue = put,
	.dequeue = get,
	.get_count = count,
};
RTE_MEMPOOL_REGISTER_OPS(poison_ops)

static int32_t ops_index(const char *name)
{
	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++)
		if (!strcmp(rte_mempool_ops_table.ops[i].name, name))
			return (int32_t)i;
	return -1;
}

static struct rte_ring *new_ring(unsigned int element, unsigned int places)
{
	struct rte_ring *r =
		aligned_alloc(64, ((size_t)rte_ring_get_memsize_elem(element, places) + 63) & ~63u);

	FUZZ_CHECK(r && !rte_ring_init(r, "fuzz", places, RING_F_SP_ENQ | RING_F_SC_DEQ), "ring");
	return r;
}

static void make_pool(unsigned int i)
{
	pool[i] = calloc(1, sl_pool_size(FUZZ_BUFFERS));
	FUZZ_CHECK(pool[i], "memory");
	pool[i]->owner = i;
	pool[i]->capacity = FUZZ_BUFFERS;
	pool[i]->back[!i] = new_ring(sizeof(void *), 2 * FUZZ_BUFFERS + 2);
	mempool[i] = sl_pool_create(i ? "fuzz1" : "fuzz0", pool[i], 2176, SOCKET_ID_ANY);
	FUZZ_CHECK(mempool[i], "pool");
	owner_ops = mempool[i]->ops_index;
	mempool[i]->ops_index = ops_index(POOL_OPS);
	FUZZ_CHECK(mempool[i]->ops_index >= 0, "ops");
}

/* ---- ports ---- */

static uint16_t receive(void *queue, struct rte_mbuf **m, uint16_t n)
{
	return fuzz_ports.receive((unsigned int)(uintptr_t)queue - 1, m, n);
}

static uint16_t send_out(void *queue, struct rte_mbuf **m, uint16_t n)
{
	return fuzz_ports.send((unsigned int)(uintptr_t)queue - 1, m, n);
}

/* ---- the bed ---- */

void fuzz_bed_init(int *argc, char ***argv)
{
	char *args[] = {(*argv)[0],
			"--no-huge",
			"--no-shconf",
			"-m",
			"32",
			"--no-pci",
			"--no-telemetry",
			"--lcores=0",
			"--log-level=error",
			"--base-virtaddr=0x200000000000",
			NULL};

	(void)argc;
	FUZZ_CHECK(rte_eal_init(10, args) >= 0, "EAL");
	for (unsigned int i = 0; i < 2; i++) {
		make_pool(i);
		redirect[i] = new_ring(sizeof(void *), SL_REDIRECT_RING);
		neighbour[i] = new_ring(sizeof(struct sl_neighbour_event), SL_NEIGHBOUR_RING);
	}
	sl_pool_act_as(0);
}

static void use_all_modes(struct bed *b)
{
	struct sl_backend *backend =
		(struct sl_backend *)((char *)b->served + b->served->backends.offset);

	for (uint32_t i = 0; i < b->served->backends.count; i++)
		backend[i].mode = (uint8_t)(i % SL_MODE_MAX);
}

struct bed *fuzz_bed_new(void)
{
	struct bed *b = bed_new(2, CONNECTIONS, BUCKETS);

	b->slot.pool = pool[0];
	b->slot.mempool = mempool[0];
	b->slot.redirect[1] = redirect[0];
	b->slot.neighbour[1] = neighbour[0];
	b->slot.worker.checkpoint_read = 1; /* it looks for no file */
	memset(&peer, 0, sizeof(peer));
	peer.id = 1;
	peer.pool = pool[1];
	peer.mempool = mempool[1];
	peer.redirect[0] = redirect[1];
	peer.neighbour[0] = neighbour[1];
	b->root.worker[1] = &peer;
	b->worker.clock.tsc_due = UINT64_MAX; /* time is the input's */
	b->worker.clock.tsc_ms = 1;
	b->root.idle_spin = 1;
	bed_ports(b, receive, send_out);
	bed_serve(b, BACKENDS);
	use_all_modes(b);
	b->root.arena.half[0] = b->served; /* a command switches to it, or to none */
	return b;
}

void fuzz_bed_peer_turn(struct bed *b)
{
	struct sl_neighbour_event event;
	struct rte_mbuf *m[SL_BURST];
	unsigned int n;

	(void)b;
	sl_pool_act_as(1);
	while ((n = sl_pool_borrow(pool[1], redirect[1], m, SL_BURST)))
		rte_pktmbuf_free_bulk(m, n);
	while (sl_pool_collect(pool[1]))
		;
	sl_pool_act_as(0);
	while (!rte_ring_sc_dequeue_elem(neighbour[1], &event, sizeof(event)))
		FUZZ_CHECK(event.port < 2 && !sl_addr_is_none(&event.addr),
			   "an event about nobody");
}

void fuzz_bed_free(struct bed *b)
{
	struct rte_mbuf *m[SL_BURST];
	struct sl_neighbour_event event;
	unsigned int n;

	fragment_table_drop_waiting(&b->worker);
	while ((n = sl_pool_borrow(pool[0], redirect[0], m, SL_BURST)))
		rte_pktmbuf_free_bulk(m, n);
	while (!rte_ring_sc_dequeue_elem(neighbour[0], &event, sizeof(event)))
		;
	fuzz_bed_peer_turn(b);
	while (sl_pool_collect(pool[0]))
		;
	for (int i = 0; i < 2; i++)
		FUZZ_CHECK(pool[i]->count == FUZZ_BUFFERS, "worker %d: %u of %u buffers are home",
			   i, pool[i]->count, FUZZ_BUFFERS);
	free(b->worker.neighs.head);
	free(b->worker.neighs.next);
	bed_free(b);
}

struct rte_mbuf *fuzz_bed_frame(unsigned int from, const void *bytes, size_t len)
{
	struct rte_mbuf *m;
	char *data;

	sl_pool_act_as(from);
	m = rte_pktmbuf_alloc(mempool[from]);
	sl_pool_act_as(0);
	if (!m)
		return NULL;
	data = rte_pktmbuf_append(m, (uint16_t)len);
	FUZZ_CHECK(data, "a frame of %zu bytes", len);
	memset(data, 0xa5, L4_READABLE); /* what is behind a short one is not the input's */
	memcpy(data, bytes, len);
	len = RTE_MAX(len, L4_READABLE);
	ASAN_POISON_MEMORY_REGION(data + len, m->buf_len - m->data_off - len);
	return m;
}

void fuzz_bed_lend(struct bed *b, struct rte_mbuf *m)
{
	(void)b;
	sl_pool_act_as(1);
	if (!sl_pool_lend(pool[1], redirect[0], 0, &m, 1))
		rte_pktmbuf_free(m);
	sl_pool_act_as(0);
}

void fuzz_bed_tell(struct bed *b, const struct sl_neighbour_event *event)
{
	(void)b;
	rte_ring_sp_enqueue_elem(neighbour[0], event, sizeof(*event));
}
