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
#define LOCALS  3
#define FRAMES  2000
#define WORKERS 5 /* one more than a tap has, and no power of two */

struct frame {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	rte_be16_t sport, dport;
	uint8_t rest[16];
} __rte_packed __rte_aligned(2);

static uint32_t local[LOCALS] = {0x0101a8c0, 0x0a01a8c0, 0x0b3364c6};
static const struct steering_locals locals = {.n = LOCALS, .addr = local};
static unsigned int random_state = 7;

static uint32_t random32(void)
{
	return (uint32_t)rand_r(&random_state) << 16 ^ (uint32_t)rand_r(&random_state);
}

static struct frame make_frame(uint8_t proto)
{
	struct frame f = {.ether = {.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)}};

	f.ip.version_ihl = RTE_IPV4_VHL_DEF;
	f.ip.total_length = RTE_BE16(sizeof(f) - sizeof(f.ether));
	f.ip.next_proto_id = proto;
	f.ip.fragment_offset = random32() & 1 ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
	f.ip.src_addr = random32();
	f.ip.dst_addr = random32() & 1 ? local[random32() % LOCALS] : random32();
	f.sport = random32();
	f.dport = random32();
	return f;
}

static bool is_local(uint32_t addr)
{
	for (unsigned int i = 0; i < LOCALS; i++)
		if (local[i] == addr)
			return true;
	return false;
}

static unsigned int expected(const struct frame *f, unsigned int n_workers)
{
	if (is_local(f->ip.dst_addr))
		return sl_owner_local_port(rte_be_to_cpu_16(f->dport), n_workers);
	return sl_owner_client(f->ip.src_addr, f->sport, SEED, n_workers);
}

/* The program's answer to a frame. */
static unsigned int ask(int program, const void *frame, size_t len)
{
	union bpf_attr attr = {
		.test = {.prog_fd = program, .data_in = (uintptr_t)frame, .data_size_in = len}};

	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		fail_msg("the kernel does not run the program: %s", strerror(errno));
	return attr.test.retval;
}

static int make_map(void)
{
	int map = ebpf_map_create(LOCALS);

	if (map < 0)
		fail_msg("no map: %s", strerror(-map));
	assert_int_equal(ebpf_map_set(map, &locals), 0);
	return map;
}

static int load_program(int map, unsigned int n_workers)
{
	int program = ebpf_program_load(map, SEED, n_workers);

	if (program < 0)
		fail_msg("the kernel refuses the program: %s", strerror(-program));
	return program;
}

static void agrees_with_owner(void **state)
{
	int map = make_map();

	(void)state;
	for (unsigned int n = 1; n <= WORKERS; n++) {
		int program = load_program(map, n);
		unsigned int seen[WORKERS] = {0};

		for (unsigned int i = 0; i < FRAMES; i++) {
			struct frame f = make_frame(i & 1 ? IPPROTO_TCP : IPPROTO_UDP);
			unsigned int queue = ask(program, &f, sizeof(f));

			assert_int_equal(queue, expected(&f, n));
			assert_true(queue < n);
			seen[queue]++;
		}
		for (unsigned int w = 0; w < n; w++)
			assert_true(seen[w] > FRAMES / n / 4);
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
		struct frame f = make_frame(IPPROTO_TCP);

		if (expected(&f, 4) == 0)
			continue;
		assert_int_equal(ask(program, &f, offsetof(struct frame, dport)), 0);
		switch (i % 6) {
		case 0: f.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP); break;
		case 1: f.ip.version_ihl = 0x46; break;
		case 2: f.ip.fragment_offset = RTE_BE16(RTE_IPV4_HDR_MF_FLAG); break;
		case 3: f.ip.fragment_offset = RTE_BE16(1); break;
		case 4: f.ip.next_proto_id = IPPROTO_ICMP; break;
		case 5: f.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV6); break;
		}
		assert_int_equal(ask(program, &f, sizeof(f)), 0);
	}
	close(program);
	close(map);
}

/* Replacing the set while the program is loaded; other sizes, other members, none. */
static void follows_the_map(void **state)
{
	uint32_t other[2] = {local[1], 0x7f7f7f7f};
	const struct steering_locals sets[] = {{2, other}, {0, NULL}, {LOCALS, local}};
	int map = make_map(), program = load_program(map, 4);

	(void)state;
	for (unsigned int s = 0; s < RTE_DIM(sets); s++) {
		assert_int_equal(ebpf_map_set(map, &sets[s]), 0);
		for (unsigned int i = 0; i < FRAMES; i++) {
			struct frame f = make_frame(IPPROTO_UDP);
			unsigned int want = sl_owner_client(f.ip.src_addr, f.sport, SEED, 4);

			for (uint32_t k = 0; k < sets[s].n; k++)
				if (sets[s].addr[k] == f.ip.dst_addr)
					want = sl_owner_local_port(rte_be_to_cpu_16(f.dport), 4);
			assert_int_equal(ask(program, &f, sizeof(f)), want);
		}
	}
	close(program);
	close(map);
}

static void too_many_addresses(void **state)
{
	uint32_t four[LOCALS + 1] = {1, 2, 3, 4};
	const struct steering_locals set = {LOCALS + 1, four};
	int map = make_map();

	(void)state;
	assert_true(ebpf_map_set(map, &set) < 0);
	close(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_owner),
		cmocka_unit_test(others_to_queue_0),
		cmocka_unit_test(follows_the_map),
		cmocka_unit_test(too_many_addresses),
	};

	return cmocka_run_group_tests_name("primary_steering", tests, NULL, NULL);
}
