/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taps: the kernel asks an eBPF program for the queue of each packet. Ours computes the
 * owner as <sluice/owner.h> does, for what a worker would balance: unfragmented TCP or
 * UDP over IPv4 without options. Everything else goes to queue 0. The program
 * is assembled here, for the number of workers and the seed of this start; the local
 * addresses are in a map, changed while packets flow.
 */
#include "primary/steering_ebpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sluice/owner.h>

#include <rte_byteorder.h>
#include <rte_ethdev.h>

#include "primary/steering.h"
#include "primary/tap.h"

/* Where the frame's first bytes are copied to on the program's stack, so that addresses align. */
#define FRAME     (-42)
#define FRAME_LEN 38 /* Ethernet, IPv4 without options, ports */

#define ETHERTYPE (FRAME + 12)
#define VERSION   (FRAME + 14)
#define FRAGMENT  (FRAME + 20)
#define PROTOCOL  (FRAME + 23)
#define SOURCE    (FRAME + 26)
#define DEST      (FRAME + 30)
#define SPORT     (FRAME + 34)
#define DPORT     (FRAME + 36)

enum reg { R0, R1, R2, R3, R4, R5, STACK = 10 };

#define MAX_INSNS 64

struct assembler {
	struct bpf_insn insn[MAX_INSNS];
	unsigned int n;
	unsigned int other[8]; /* jumps to where packets end that have no owner */
	unsigned int n_other;
};

static void put(struct assembler *a, uint8_t code, enum reg dst, enum reg src, int16_t off,
		int32_t imm)
{
	a->insn[a->n++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static void alu(struct assembler *a, uint8_t op, enum reg dst, int32_t imm)
{
	put(a, BPF_ALU64 | BPF_K | op, dst, 0, 0, imm);
}

static void alu_reg(struct assembler *a, uint8_t op, enum reg dst, enum reg src)
{
	put(a, BPF_ALU64 | BPF_X | op, dst, src, 0, 0);
}

/* 64 bits take two instructions. */
static void constant(struct assembler *a, enum reg dst, uint8_t kind, uint64_t value)
{
	put(a, BPF_LD | BPF_IMM | BPF_DW, dst, kind, 0, (int32_t)value);
	put(a, 0, 0, 0, 0, (int32_t)(value >> 32));
}

static void load(struct assembler *a, uint8_t size, enum reg dst, int16_t off)
{
	put(a, BPF_LDX | BPF_MEM | size, dst, STACK, off, 0);
}

/* Put the address of a place in the frame into `dst`. */
static void address(struct assembler *a, enum reg dst, int16_t off)
{
	alu_reg(a, BPF_MOV, dst, STACK);
	alu(a, BPF_ADD, dst, off);
}

static void call(struct assembler *a, int32_t helper)
{
	put(a, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static void leave(struct assembler *a)
{
	put(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* No owner unless R0 is `imm`. */
static void require(struct assembler *a, int32_t imm)
{
	a->other[a->n_other++] = a->n;
	put(a, BPF_JMP | BPF_JNE | BPF_K, R0, 0, 0, imm);
}

static void put_parse(struct assembler *a)
{
	alu(a, BPF_MOV, R2, 0);
	address(a, R3, FRAME);
	alu(a, BPF_MOV, R4, FRAME_LEN);
	alu(a, BPF_MOV, R5, BPF_HDR_START_MAC);
	call(a, BPF_FUNC_skb_load_bytes_relative);
	require(a, 0);
	load(a, BPF_H, R0, ETHERTYPE);
	require(a, RTE_BE16(RTE_ETHER_TYPE_IPV4));
	load(a, BPF_B, R0, VERSION);
	require(a, RTE_IPV4_VHL_DEF);
	load(a, BPF_H, R0, FRAGMENT);
	alu(a, BPF_AND, R0, RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK));
	require(a, 0);
	load(a, BPF_B, R0, PROTOCOL);
	put(a, BPF_JMP | BPF_JEQ | BPF_K, R0, 0, 1, IPPROTO_TCP);
	require(a, IPPROTO_UDP);
}

/* sl_owner_local_port() */
static void put_local_owner(struct assembler *a, unsigned int n_workers)
{
	load(a, BPF_H, R0, DPORT);
	put(a, BPF_ALU | BPF_END | BPF_TO_BE, R0, 0, 0, 16);
	alu(a, BPF_AND, R0, sl_owner_port_mask(n_workers));
	alu(a, BPF_MOD, R0, n_workers);
	leave(a);
}

/* sl_owner_client() */
static void put_client_owner(struct assembler *a, uint64_t seed, unsigned int n_workers)
{
	load(a, BPF_H, R0, SPORT);
	alu(a, BPF_LSH, R0, 32);
	load(a, BPF_W, R1, SOURCE);
	alu_reg(a, BPF_OR, R0, R1);
	constant(a, R1, 0, seed);
	alu_reg(a, BPF_XOR, R0, R1);
	constant(a, R2, 0, UINT64_C(0x9e3779b97f4a7c15));
	alu_reg(a, BPF_MUL, R0, R2);
	alu_reg(a, BPF_MOV, R1, R0);
	alu(a, BPF_RSH, R1, 32);
	alu_reg(a, BPF_XOR, R0, R1);
	alu_reg(a, BPF_MUL, R0, R2);
	alu(a, BPF_RSH, R0, 32);
	alu(a, BPF_MUL, R0, n_workers);
	alu(a, BPF_RSH, R0, 32);
	leave(a);
}

static void assemble(struct assembler *a, int map, uint64_t seed, unsigned int n_workers)
{
	unsigned int not_local;

	put_parse(a);
	constant(a, R1, BPF_PSEUDO_MAP_FD, map);
	address(a, R2, DEST);
	call(a, BPF_FUNC_map_lookup_elem);
	not_local = a->n;
	put(a, BPF_JMP | BPF_JEQ | BPF_K, R0, 0, 0, 0);
	put_local_owner(a, n_workers);
	a->insn[not_local].off = a->n - not_local - 1;
	put_client_owner(a, seed, n_workers);
	for (unsigned int i = 0; i < a->n_other; i++)
		a->insn[a->other[i]].off = a->n - a->other[i] - 1;
	alu(a, BPF_MOV, R0, 0);
	leave(a);
}

static int bpf(int command, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return rc < 0 ? -errno : rc;
}

int ebpf_program_load(int map, uint64_t seed, unsigned int n_workers)
{
	struct assembler a = {0};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)a.insn,
		.license = (uintptr_t) "BSD",
		.prog_name = "sluice_owner",
	};

	assemble(&a, map, seed, n_workers);
	attr.insn_cnt = a.n;
	return bpf(BPF_PROG_LOAD, &attr);
}

int ebpf_map_create(uint32_t max_addresses)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = sizeof(uint32_t),
		.value_size = sizeof(uint8_t),
		.max_entries = max_addresses,
		.map_name = "sluice_locals",
	};

	return bpf(BPF_MAP_CREATE, &attr);
}

static int compare_addr(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool wanted(const struct steering_locals *locals, uint32_t addr)
{
	return locals->n &&
	       bsearch(&addr, locals->addr, locals->n, sizeof(addr), compare_addr) != NULL;
}

/* Delete keys that are not wanted. After a deletion the walk begins again. */
static int map_prune(int map, const struct steering_locals *locals)
{
	uint32_t key, next;
	bool begin = true;

	for (;;) {
		union bpf_attr walk = {.map_fd = map,
				       .key = begin ? 0 : (uintptr_t)&key,
				       .next_key = (uintptr_t)&next};
		union bpf_attr del = {.map_fd = map, .key = (uintptr_t)&next};
		int rc = bpf(BPF_MAP_GET_NEXT_KEY, &walk);

		if (rc)
			return rc == -ENOENT ? 0 : rc;
		begin = !wanted(locals, next);
		if (begin)
			rc = bpf(BPF_MAP_DELETE_ELEM, &del);
		if (rc)
			return rc;
		key = next;
	}
}

int ebpf_map_set(int map, const struct steering_locals *locals)
{
	uint8_t value = 1;
	int rc = map_prune(map, locals);

	for (uint32_t i = 0; i < locals->n && !rc; i++) {
		union bpf_attr attr = {.map_fd = map,
				       .key = (uintptr_t)&locals->addr[i],
				       .value = (uintptr_t)&value,
				       .flags = BPF_ANY};

		rc = bpf(BPF_MAP_UPDATE_ELEM, &attr);
	}
	return rc;
}

static int ebpf_attach(struct steering *s)
{
	struct rte_eth_dev_info info;
	char interface[IF_NAMESIZE];
	int file = -1, rc = rte_eth_dev_info_get(s->port_id, &info);

	if (!rc && if_indextoname(info.if_index, interface))
		file = tap_file(interface);
	if (file < 0)
		return -ENOTSUP;
	s->map = ebpf_map_create(s->root->max_local_addresses);
	if (s->map < 0)
		return s->map;
	s->program = ebpf_program_load(s->map, s->root->seed, s->root->n_workers);
	if (s->program >= 0 && !ioctl(file, TUNSETSTEERINGEBPF, &s->program))
		return 0;
	rc = s->program < 0 ? s->program : -errno;
	if (s->program >= 0)
		close(s->program);
	close(s->map);
	return rc;
}

static int ebpf_refresh(struct steering *s, const struct steering_locals *locals)
{
	return ebpf_map_set(s->map, locals);
}

/* The tap holds the program, the program the map. */
static void ebpf_detach(struct steering *s)
{
	close(s->program);
	close(s->map);
}

const struct steering_ops steering_ebpf = {
	.kind = SL_STEERING_EBPF,
	.name = "ebpf",
	.attach = ebpf_attach,
	.refresh = ebpf_refresh,
	.detach = ebpf_detach,
};
