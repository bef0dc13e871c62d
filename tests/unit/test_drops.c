/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drops for want of room, which no frame alone provokes: the worker's own loop, worker 0 of two,
 * between devices that take as much as a test lets them and a neighbour that never collects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring_elem.h>

#include <sluice/msg.h>
#include <sluice/owner.h>

#include "secondary/frame.h"
#include "secondary/loop.h"
#include "tests/unit/lib/bed.h"

#define BUFFERS  511
#define RING     16 /* places of a redirect ring: one less than it can hold */
#define BACKENDS 4
#define FRAMES   24 /* a burst's */

static struct bed *bed;
static struct sl_worker_slot other; /* worker 1's */
static volatile sig_atomic_t stop;

/* The devices. */
static struct rte_mbuf *coming[FRAMES];
static uint16_t n_coming;
static uint16_t room; /* packets that a queue takes of one burst */
static uint16_t taken;

static uint16_t receive(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	uint16_t got = queue == (void *)1 ? n_coming : 0;

	assert_true(got <= n);
	memcpy(pkt, coming, got * sizeof(*pkt));
	if (got)
		n_coming = 0;
	else
		stop = 1; /* one turn after the last frame, at the latest */
	return got;
}

static uint16_t transmit(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	(void)queue;
	n = RTE_MIN(n, room);
	rte_pktmbuf_free_bulk(pkt, n);
	taken += n;
	return n;
}

/* ---- the worker ------------------------------------------------------------------------- */

static struct rte_ring *new_ring(unsigned int size, unsigned int elem_size)
{
	struct rte_ring *r = aligned_alloc(64, (size_t)rte_ring_get_memsize_elem(elem_size, size));

	assert_non_null(r);
	rte_ring_init(r, "ring", size, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return r;
}

static void make_pool(struct sl_worker_slot *slot, unsigned int id, const char *name)
{
	slot->pool = calloc(1, sl_pool_size(BUFFERS));
	slot->pool->owner = id;
	slot->pool->capacity = BUFFERS;
	slot->pool->back[!id] = new_ring(BUFFERS + 1, sizeof(void *));
	slot->redirect[!id] = new_ring(RING, sizeof(void *));
	slot->neighbour[!id] = new_ring(64, sizeof(struct sl_neighbour_event));
	slot->mempool = sl_pool_create(name, slot->pool, 2176, SOCKET_ID_ANY);
	assert_non_null(slot->mempool);
}

static void make_ports(void)
{
	static void *queue[2][1] = {{(void *)1}, {(void *)2}};

	bed->root.n_ports = bed->worker.n_ports = 2;
	for (uint16_t p = 0; p < 2; p++) {
		struct sl_port *port = &bed->root.port[p];

		*port = (struct sl_port){
			.port_id = p, .mtu = 1500, .mac = {{2, 0, 0, 0, 1, (uint8_t)p}}};
		memcpy(&bed->worker.port_mac[p], &port->mac, sizeof(port->mac));
		bed->worker.frame_max[p] = 1514;
		rte_eth_fp_ops[p].rx_pkt_burst = receive;
		rte_eth_fp_ops[p].tx_pkt_burst = transmit;
		rte_eth_fp_ops[p].rxq.data = queue[p];
		rte_eth_fp_ops[p].txq.data = queue[p];
	}
}

static int start(void **state)
{
	char *args[] = {"test_drops",     "--no-huge",  "--no-shconf",       "-m", "64", "--no-pci",
			"--no-telemetry", "--lcores=0", "--log-level=error", NULL};

	(void)state;
	if (rte_eal_init(9, args) < 0)
		return -1;
	bed = bed_new(2, 1024, 512);
	bed->root.worker[1] = &other;
	make_pool(&bed->slot, 0, "zero");
	make_pool(&other, 1, "one");
	make_ports();
	bed_serve(bed, BACKENDS);
	bed->worker.clock.tsc_due = UINT64_MAX; /* what follows the clock, rests */
	return 0;
}

/* The backends are known, as if they had announced themselves. */
static void backends_known(void)
{
	for (uint32_t i = 0; i < BACKENDS; i++) {
		struct sl_neighbour_event ev = {
			.addr = SL_ADDR_V4(htonl(ntohl(inet_addr("198.51.100.101")) + i)),
			.port = 1,
			.to_us = 1,
			.mac = {2, 0, 0, 0, 2, (uint8_t)i}};

		neigh_learn(&bed->worker, &ev);
	}
}

/* A datagram for the virtual server, from client number n of those that worker `owner` has. */
static struct rte_mbuf *request(struct rte_mempool *from, unsigned int n, unsigned int owner)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(from);
	rte_be32_t addr = RTE_BE32(0x0a000001);
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;
	uint16_t port = 1024;

	assert_non_null(m);
	while (sl_owner_client(addr, htons(port), bed->root.seed, bed->worker.n_workers) != owner ||
	       n--)
		port++;
	m->port = 0;
	memset(rte_pktmbuf_append(m, 60), 0, 60);
	frame_eth(m)->dst_addr = bed->root.port[0].mac;
	frame_eth(m)->src_addr.addr_bytes[0] = 2;
	frame_eth(m)->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip = frame_ip(m);
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
				    .total_length = RTE_BE16(46),
				    .time_to_live = 64,
				    .next_proto_id = IPPROTO_UDP,
				    .src_addr = addr,
				    .dst_addr = inet_addr("192.0.2.80")};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	udp = frame_udp(m);
	*udp = (struct rte_udp_hdr){
		.src_port = htons(port), .dst_port = RTE_BE16(80), .dgram_len = RTE_BE16(26)};
	return m;
}

static void come(unsigned int n, unsigned int owner)
{
	for (unsigned int i = 0; i < n; i++)
		coming[i] = request(bed->slot.mempool, i, owner);
	n_coming = (uint16_t)n;
}

/* What a turn drops under one reason; none of it under any other. */
static void expect_drops(enum sl_drop_reason why, uint64_t wanted)
{
	uint64_t before[SL_DROP_MAX];

	memcpy(before, bed->slot.stats.drops, sizeof(before));
	stop = 0;
	taken = 0;
	loop_run(&bed->worker, &stop);
	for (int i = 0; i < SL_DROP_MAX; i++)
		assert_int_equal(bed->slot.stats.drops[i] - before[i], i == (int)why ? wanted : 0);
}

/* ---- cases ------------------------------------------------------------------------------ */

/* Nobody knows the backends yet; the question for the first takes a buffer. */
static void no_buffer(void **state)
{
	struct rte_mbuf *all[BUFFERS];
	unsigned int n = 0;

	(void)state;
	sl_pool_act_as(0);
	come(1, 0);
	while ((all[n] = rte_pktmbuf_alloc(bed->slot.mempool)))
		n++;
	assert_int_equal(n, BUFFERS - 1);
	expect_drops(SL_DROP_NO_BUFFER, 1);
	assert_int_equal(taken, 0);
	rte_pktmbuf_free_bulk(all, n);
	room = SL_BURST;
	backends_known(); /* the datagram waited, and leaves */
	tx_flush(&bed->worker);
	assert_int_equal(taken, 1);
	assert_int_equal(bed->slot.pool->count, BUFFERS);
}

static void tx_full(void **state)
{
	uint64_t sent = bed->slot.stats.port[1].tx_packets;

	(void)state;
	room = 5;
	come(FRAMES, 0);
	expect_drops(SL_DROP_TX_FULL, FRAMES - 5);
	assert_int_equal(taken, 5);
	assert_int_equal(bed->slot.stats.port[1].tx_packets - sent, 5);
	assert_int_equal(bed->slot.pool->count, BUFFERS);
	room = SL_BURST;
	come(FRAMES, 0); /* the same connections: nothing is wrong with them */
	expect_drops(SL_DROP_TX_FULL, 0);
	assert_int_equal(taken, FRAMES);
}

static void redirect_full(void **state)
{
	uint64_t out = bed->slot.stats.redirect_out;

	(void)state;
	come(FRAMES, 1);
	expect_drops(SL_DROP_REDIRECT_FULL, FRAMES - (RING - 1));
	assert_int_equal(bed->slot.stats.redirect_out - out, RING - 1);
	assert_int_equal(rte_ring_count(other.redirect[0]), RING - 1);
	assert_int_equal(bed->slot.pool->count, BUFFERS - (RING - 1));
}

/* Worker 1 passes on what is a third one's: another hash of another version, say. */
static void redirect_loop(void **state)
{
	struct rte_mbuf *m[3];

	(void)state;
	bed->worker.n_workers = 3;
	bed->slot.redirect[2] = new_ring(RING, sizeof(void *));
	bed->slot.neighbour[2] = new_ring(RING, sizeof(struct sl_neighbour_event));
	sl_pool_act_as(1);
	for (unsigned int i = 0; i < 3; i++)
		m[i] = request(other.mempool, i, 2);
	assert_int_equal(sl_pool_lend(other.pool, bed->slot.redirect[1], 0, m, 3), 3);
	sl_pool_act_as(0);
	expect_drops(SL_DROP_REDIRECT_LOOP, 3);
	sl_pool_act_as(1);
	assert_int_equal(sl_pool_collect(other.pool), 3);
	assert_int_equal(other.pool->count, BUFFERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_buffer),
		cmocka_unit_test(tx_full),
		cmocka_unit_test(redirect_full),
		cmocka_unit_test(redirect_loop),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
