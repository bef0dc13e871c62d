/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The eBPF program of taps must name the queue that <sluice/owner.h> names. The kernel runs
 * the loaded program on frames of ours (BPF_PROG_TEST_RUN); the expectation is computed here
 * from the fields that the frame was made of.
 */
#include "primary/steering_ebpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <sluice/owner.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>

#include "primary/steering.h"

#define SEED    UINT64_C(0x8123456789abcdef)
#define OWN     6 /* three of each family: two local addresses and a virtual server's */
#define FRAMES  2000
#define WORKERS 5 /* one more than a tap has, and no power of two */

#define LOCAL   STEERING_BY_LOCAL_PORT
#define VIRTUAL STEERING_BY_CLIENT
#define V6(a, b)                                       \
	{                                              \
		.w = { 0xb80d0120, (a), 0, (b) << 24 } \
	}

struct frame4 {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	rte_be16_t sport, dport;
	uint8_t rest[16];
} __rte_packed __rte_aligned(2);

struct frame6 {
	struct rte_ether_hdr ether;
	rte_be32_t version;
	rte_be16_t length;
	uint8_t next, hops;
	struct sl_addr source, destination;
	rte_be16_t sport, dport;
	uint8_t rest[16];
} __rte_packed __rte_aligned(2);

/* Ascending as bytes, as steering.c hands them over. */
static struct steering_address own_address[OWN] = {
	{SL_ADDR_V4(0x0101a8c0), LOCAL},
	{SL_ADDR_V4(0x0a01a8c0), VIRTUAL},
	{SL_ADDR_V4(0x0b3364c6), LOCAL},
	{V6(1, 9), LOCAL},
	{V6(2, 9), VIRTUAL},
	{V6(2, 10), LOCAL},
};
static const struct steering_addresses own = {.n = OWN, .address = own_address};
static unsigned int random_state = 7;

static uint32_t random32(void)
{
	return (uint32_t)rand_r(&random_state) << 16 ^ (uint32_t)rand_r(&random_state);
}

/* One of ours of the family, or any. */
static struct sl_addr random_destination(bool ipv6)
{
	struct sl_addr any = {.w = {random32(), random32(), random32(), random32()}};

	if (random32() & 1)
		return own_address[random32() % 3 + 3 * ipv6].addr;
	return ipv6 ? any : sl_addr_of_v4(any.w[3]);
}

static struct frame4 make_frame4(uint8_t proto)
{
	struct sl_addr destination = random_destination(false);
	struct frame4 f = {.ether = {.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)}};

	f.ip.version_ihl = RTE_IPV4_VHL_DEF;
	f.ip.total_length = RTE_BE16(sizeof(f) - sizeof(f.ether));
	f.ip.next_proto_id = proto;
	f.ip.fragment_offset = random32() & 1 ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
	f.ip.src_addr = random32();
	f.ip.dst_addr = sl_addr_v4(&destination);
	f.sport = (rte_be16_t)random32();
	f.dport = (rte_be16_t)random32();
	return f;
}

static struct frame6 make_frame6(uint8_t proto)
{
	struct frame6 f = {.ether = {.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6)}};

	f.version = RTE_BE32(0x60000000) | (random32() & RTE_BE32(0x0fffffff));
	f.length = RTE_BE16(sizeof(f) - offsetof(struct frame6, sport));
	f.next = proto;
	f.source = (struct sl_addr){.w = {0xb80d0120, random32(), random32(), random32()}};
	f.destination = random_destination(true);
	f.sport = (rte_be16_t)random32();
	f.dport = (rte_be16_t)random32();
	return f;
}

/* NULL: it is not ours. */
static const struct steering_address *find(const struct steering_addresses *set,
					   const struct sl_addr *addr)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (sl_addr_equal(&set->address[i].addr, addr))
			return &set->address[i];
	return NULL;
}

static unsigned int expected4(const struct steering_addresses *set, const struct frame4 *f,
			      unsigned int n)
{
	struct sl_addr destination = sl_addr_of_v4(f->ip.dst_addr);
	const struct steering_address *a = find(set, &destination);

	if (!a)
		return sl_owner_client(f->ip.dst_addr, f->dport, SEED, n);
	return a->by == LOCAL ? sl_owner_local_port(rte_be_to_cpu_16(f->dport), n)
			      : sl_owner_client(f->ip.src_addr, f->sport, SEED, n);
}

static unsigned int expected6(const struct steering_addresses *set, const struct frame6 *f,
			      unsigned int n)
{
	struct sl_addr source = f->source, destination = f->destination;
	const struct steering_address *a = find(set, &destination);

	if (!a)
		return sl_owner_client6(&destination, f->dport, SEED, n);
	return a->by == LOCAL ? sl_owner_local_port(rte_be_to_cpu_16(f->dport), n)
			      : sl_owner_client6(&source, f->sport, SEED, n);
}

static unsigned int expected_fragment6(const struct frame6 *f, uint32_t id, unsigned int n)
{
	struct sl_addr source = f->source, destination = f->destination;

	return sl_owner_fragment6(&source, &destination, id, SEED, n);
}

/* The program's answer to a frame. */
static unsigned int ask(int program, const void *frame, size_t len)
{
	union bpf_attr attr = {.test = {.prog_fd = (uint32_t)program,
					.data_in = (uintptr_t)frame,
					.data_size_in = (uint32_t)len}};

	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		fail_msg("the kernel does not run the program: %s", strerror(errno));
	return attr.test.retval;
}

static int make_map(void)
{
	int map = ebpf_map_create(OWN);

	if (map < 0)
		fail_msg("no map: %s", strerror(-map));
	assert_int_equal(ebpf_map_set(map, &own), 0);
	return map;
}

static int load_program(int map, unsigned int n_workers)
{
	int program = ebpf_program_load(map, SEED, n_workers);

	if (program < 0)
		fail_msg("the kernel refuses the program: %s", strerror(-program));
	return program;
}

/* A random frame of the family: the queue, which has to be the owner's. */
static unsigned int check_one(int program, const struct steering_addresses *set, bool ipv6,
			      uint8_t proto, unsigned int n)
{
	struct frame4 f4 = make_frame4(proto);
	struct frame6 f6 = make_frame6(proto);
	unsigned int queue = ipv6 ? ask(program, &f6, sizeof(f6)) : ask(program, &f4, sizeof(f4));

	assert_int_equal(queue, ipv6 ? expected6(set, &f6, n) : expected4(set, &f4, n));
	assert_true(queue < n);
	return queue;
}

/* Fragments go to who follows their datagram, whatever their destination. */
static void agrees_on_fragments(void **state)
{
	int map = make_map();

	(void)state;
	for (unsigned int n = 1; n <= WORKERS; n++) {
		int program = load_program(map, n);

		for (unsigned int i = 0; i < FRAMES; i++) {
			struct frame4 f4 = make_frame4(IPPROTO_UDP);
			struct frame6 f6 = make_frame6(IPPROTO_FRAGMENT);
			uint32_t id = random32();

			f4.ip.packet_id = (rte_be16_t)id;
			f4.ip.fragment_offset =
				i & 1 ? RTE_BE16(RTE_IPV4_HDR_MF_FLAG) : RTE_BE16(185);
			assert_int_equal(ask(program, &f4, sizeof(f4)),
					 sl_owner_fragment(f4.ip.src_addr, f4.ip.dst_addr,
							   f4.ip.packet_id, SEED, n));
			memcpy(f6.rest, &id, sizeof(id));
			assert_int_equal(ask(program, &f6, sizeof(f6)),
					 expected_fragment6(&f6, id, n));
		}
		close(program);
	}
	close(map);
}

static void agrees_with_owner(void **state)
{
	int map = make_map();

	(void)state;
	for (unsigned int n = 1; n <= WORKERS; n++) {
		int program = load_program(map, n);

		for (int ipv6 = 0; ipv6 < 2; ipv6++) {
			unsigned int seen[WORKERS] = {0};

			for (unsigned int i = 0; i < FRAMES; i++)
				seen[check_one(program, &own, ipv6,
					       i & 1 ? IPPROTO_TCP : IPPROTO_UDP, n)]++;
			for (unsigned int w = 0; w < n; w++)
				assert_true(seen[w] > FRAMES / n / 4);
		}
		close(program);
	}
	close(map);
}

/* Frames that no worker balances go to queue 0, whatever they would hash to. */
static void others_to_queue_0(void **state)
{
	int map = make_map(), program = load_program(map, 4);

	(void)state;
	for (unsigned int i = 0; i < FRAMES; i++) {
		struct frame4 f = make_frame4(IPPROTO_TCP);

		if (expected4(&own, &f, 4) == 0)
			continue;
		assert_int_equal(ask(program, &f, offsetof(struct frame4, dport)), 0);
		switch (i % 4) {
		case 0: f.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP); break;
		case 1: f.ip.version_ihl = 0x46; break;
		case 2: f.ip.next_proto_id = IPPROTO_ICMP; break;
		case 3: f.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6); break;
		}
		assert_int_equal(ask(program, &f, sizeof(f)), 0);
	}
	for (unsigned int i = 0; i < FRAMES; i++) {
		struct frame6 f = make_frame6(IPPROTO_UDP);

		if (expected6(&own, &f, 4) == 0)
			continue;
		assert_int_equal(ask(program, &f, offsetof(struct frame6, dport)), 0);
		switch (i % 3) {
		case 0: f.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4); break;
		case 1: f.version ^= RTE_BE32(0x10000000); break;
		case 2: f.next = IPPROTO_ICMPV6; break;
		}
		assert_int_equal(ask(program, &f, sizeof(f)), 0);
	}
	close(program);
	close(map);
}

/* Replacing the set while the program is loaded; other sizes, other members, other uses, none. */
static void follows_the_map(void **state)
{
	struct steering_address other[3] = {own_address[1], own_address[4], {V6(3, 9), VIRTUAL}};
	const struct steering_addresses sets[] = {{3, other}, {0, NULL}, {OWN, own_address}};
	int map = make_map(), program = load_program(map, 4);

	(void)state;
	other[0].by = LOCAL;
	for (unsigned int s = 0; s < RTE_DIM(sets); s++) {
		assert_int_equal(ebpf_map_set(map, &sets[s]), 0);
		for (unsigned int i = 0; i < FRAMES; i++)
			check_one(program, &sets[s], i & 1, IPPROTO_UDP, 4);
	}
	close(program);
	close(map);
}

static void too_many_addresses(void **state)
{
	struct steering_address more[OWN + 1];
	const struct steering_addresses set = {OWN + 1, more};
	int map = make_map();

	(void)state;
	for (uint32_t i = 0; i <= OWN; i++)
		more[i] = (struct steering_address){SL_ADDR_V4(RTE_BE32(i + 1)), VIRTUAL};
	assert_true(ebpf_map_set(map, &set) < 0);
	close(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_owner),  cmocka_unit_test(agrees_on_fragments),
		cmocka_unit_test(others_to_queue_0),  cmocka_unit_test(follows_the_map),
		cmocka_unit_test(too_many_addresses),
	};

	return cmocka_run_group_tests_name("primary_steering", tests, NULL, NULL);
}
