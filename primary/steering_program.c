/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The owner of a packet (<sluice/owner.h>) as an eBPF program, assembled here for the number of
 * workers and the seed of this start: of TCP, UDP and fragments, over IPv4 without options or IPv6
 * without other extension headers, which is what a worker balances. Everything else is queue 0's.
 */
#include "primary/steering_ebpf.h"

#include <assert.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include <sluice/owner.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>

#include "primary/steering.h"

/*
 * Where the frame's first bytes are copied to on the program's stack, so that addresses align:
 * words of IPv4's at 4 bytes, those of IPv6's at 8. Below it is the destination as the map has it.
 */
#define FRAME      (-62)
#define KEY        (FRAME - 18)
#define FRAME4_LEN 38 /* Ethernet, IPv4 without options, ports */
#define FRAME6_LEN 62 /* Ethernet, IPv6, a UDP or fragment header */

#define ETHERTYPE  (FRAME + 12)
#define VERSION    (FRAME + 14)
#define ID         (FRAME + 18)
#define FRAGMENT   (FRAME + 20)
#define PROTOCOL   (FRAME + 23)
#define SOURCE     (FRAME + 26)
#define DEST       (FRAME + 30)
#define PORTS      (FRAME + 34)
#define NEXT6      (FRAME + 20)
#define SOURCE6    (FRAME + 22)
#define DEST6      (FRAME + 38)
#define PORTS6     (FRAME + 54)
#define ID6        (FRAME + 58) /* of a fragment header */
static_assert(SOURCE % 4 == 0 && SOURCE6 % 8 == 0 && KEY % 8 == 0, "loads from the stack align");

/*
 * Those from 6 on outlive a call: both endpoints, as sl_owner_client() takes them; before that the
 * packet.
 */
enum reg { R0, R1, R2, R3, R4, R5, SRC_ADDR, SRC_PORT, DST_ADDR, DST_PORT, STACK };
#define PACKET    SRC_ADDR

#define MAX_INSNS 192

struct assembler {
	struct bpf_insn insn[MAX_INSNS];
	unsigned int n;
	unsigned int other[16]; /* jumps to where packets end that have no owner */
	unsigned int n_other;
	unsigned int fragment[2]; /* jumps to the hash, from fragments of either family */
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

/* The frame's first bytes; no owner when it is shorter. */
static void put_load(struct assembler *a, int32_t len)
{
	alu_reg(a, BPF_MOV, R1, PACKET);
	alu(a, BPF_MOV, R2, 0);
	address(a, R3, FRAME);
	alu(a, BPF_MOV, R4, len);
	alu(a, BPF_MOV, R5, BPF_HDR_START_MAC);
	call(a, BPF_FUNC_skb_load_bytes_relative);
	require(a, 0);
}

/* A jump that is taken when R0 is `imm`; land() says where to. */
static unsigned int jump_if(struct assembler *a, int32_t imm)
{
	put(a, BPF_JMP | BPF_JEQ | BPF_K, R0, 0, 0, imm);
	return a->n - 1;
}

static unsigned int jump(struct assembler *a)
{
	put(a, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	return a->n - 1;
}

static void land(struct assembler *a, unsigned int jump)
{
	a->insn[jump].off = (int16_t)(a->n - jump - 1);
}

static void put_transport(struct assembler *a, int16_t protocol, int16_t ports)
{
	unsigned int tcp;

	load(a, BPF_B, R0, protocol);
	tcp = jump_if(a, IPPROTO_TCP);
	require(a, IPPROTO_UDP);
	land(a, tcp);
	load(a, BPF_H, SRC_PORT, ports);
	load(a, BPF_H, DST_PORT, ports + 2);
}

/* sl_owner_fragment(): the rest is as of a client at both addresses together. */
static void put_fragment4(struct assembler *a)
{
	load(a, BPF_W, SRC_ADDR, SOURCE);
	load(a, BPF_W, R3, DEST);
	alu_reg(a, BPF_XOR, SRC_ADDR, R3);
	load(a, BPF_H, SRC_PORT, ID);
	a->fragment[0] = jump(a);
}

/* The destination as in sl_addr_of_v4(). */
static void put_key4(struct assembler *a)
{
	put(a, BPF_ST | BPF_MEM | BPF_DW, STACK, 0, KEY, 0);
	put(a, BPF_ST | BPF_MEM | BPF_W, STACK, 0, KEY + 8, (int32_t)SL_ADDR_V4_PREFIX);
	put(a, BPF_STX | BPF_MEM | BPF_W, STACK, DST_ADDR, KEY + 12, 0);
}

static void put_ipv4(struct assembler *a)
{
	unsigned int whole;

	load(a, BPF_B, R0, VERSION);
	require(a, RTE_IPV4_VHL_DEF);
	load(a, BPF_H, R0, FRAGMENT);
	alu(a, BPF_AND, R0, RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK));
	whole = jump_if(a, 0);
	put_fragment4(a);
	land(a, whole);
	put_transport(a, PROTOCOL, PORTS);
	load(a, BPF_W, SRC_ADDR, SOURCE);
	load(a, BPF_W, DST_ADDR, DEST);
	put_key4(a);
}

/* As sl_owner_client6() folds an address. R1: the seed, R2: the factor. */
static void put_fold(struct assembler *a, enum reg to, int16_t addr)
{
	load(a, BPF_DW, to, addr);
	alu_reg(a, BPF_XOR, to, R1);
	alu_reg(a, BPF_MUL, to, R2);
	alu_reg(a, BPF_MOV, R3, to);
	alu(a, BPF_RSH, R3, 32);
	alu_reg(a, BPF_XOR, to, R3);
	load(a, BPF_DW, R3, addr + 8);
	alu_reg(a, BPF_ADD, to, R3);
	alu_reg(a, BPF_MUL, to, R2);
	alu(a, BPF_RSH, to, 32);
}

static void put_key6(struct assembler *a)
{
	for (int16_t at = 0; at < 16; at += 8) {
		load(a, BPF_DW, R3, DEST6 + at);
		put(a, BPF_STX | BPF_MEM | BPF_DW, STACK, R3, KEY + at, 0);
	}
}

/* Of both addresses. */
static void put_folds(struct assembler *a, uint64_t seed)
{
	constant(a, R1, 0, seed);
	constant(a, R2, 0, SL_OWNER_FOLD);
	put_fold(a, SRC_ADDR, SOURCE6);
	put_fold(a, DST_ADDR, DEST6);
}

/* sl_owner_fragment6(), likewise. */
static void put_fragment6(struct assembler *a, uint64_t seed)
{
	put_folds(a, seed);
	alu_reg(a, BPF_XOR, SRC_ADDR, DST_ADDR);
	load(a, BPF_H, SRC_PORT, ID6);
	load(a, BPF_H, R3, ID6 + 2);
	alu_reg(a, BPF_XOR, SRC_PORT, R3);
	a->fragment[1] = jump(a);
}

static void put_ipv6(struct assembler *a, uint64_t seed)
{
	unsigned int fragment, other;

	put_load(a, FRAME6_LEN);
	load(a, BPF_B, R0, VERSION);
	alu(a, BPF_AND, R0, 0xf0);
	require(a, 0x60);
	load(a, BPF_B, R0, NEXT6);
	fragment = jump_if(a, IPPROTO_FRAGMENT);
	other = jump(a);
	land(a, fragment);
	put_fragment6(a, seed);
	land(a, other);
	put_transport(a, NEXT6, PORTS6);
	put_folds(a, seed);
	put_key6(a);
}

/* sl_owner_local_port() */
static void put_local_owner(struct assembler *a, unsigned int n_workers)
{
	alu_reg(a, BPF_MOV, R0, DST_PORT);
	put(a, BPF_ALU | BPF_END | BPF_TO_BE, R0, 0, 0, 16);
	alu(a, BPF_AND, R0, sl_owner_port_mask(n_workers));
	alu(a, BPF_MOD, R0, (int32_t)n_workers);
	leave(a);
}

/* sl_owner_client() of the source. */
static void put_client_owner(struct assembler *a, uint64_t seed, unsigned int n_workers)
{
	alu_reg(a, BPF_MOV, R0, SRC_PORT);
	alu(a, BPF_LSH, R0, 32);
	alu_reg(a, BPF_OR, R0, SRC_ADDR);
	constant(a, R1, 0, seed);
	alu_reg(a, BPF_XOR, R0, R1);
	constant(a, R2, 0, SL_OWNER_FACTOR);
	alu_reg(a, BPF_MUL, R0, R2);
	alu_reg(a, BPF_MOV, R1, R0);
	alu(a, BPF_RSH, R1, 32);
	alu_reg(a, BPF_XOR, R0, R1);
	alu_reg(a, BPF_MUL, R0, R2);
	alu(a, BPF_RSH, R0, 32);
	alu(a, BPF_MUL, R0, (int32_t)n_workers);
	alu(a, BPF_RSH, R0, 32);
	leave(a);
}

/* Whose the endpoints are that are in the registers, with the destination in KEY. */
static void put_owner(struct assembler *a, int map, uint64_t seed, unsigned int n_workers)
{
	unsigned int not_ours, from_client;

	constant(a, R1, BPF_PSEUDO_MAP_FD, (uint32_t)map);
	address(a, R2, KEY);
	call(a, BPF_FUNC_map_lookup_elem);
	not_ours = jump_if(a, 0);
	put(a, BPF_LDX | BPF_MEM | BPF_B, R0, R0, 0, 0);
	from_client = jump_if(a, STEERING_BY_CLIENT);
	put_local_owner(a, n_workers);
	land(a, not_ours); /* the client is whom it goes to */
	alu_reg(a, BPF_MOV, SRC_ADDR, DST_ADDR);
	alu_reg(a, BPF_MOV, SRC_PORT, DST_PORT);
	land(a, from_client);
	land(a, a->fragment[0]);
	land(a, a->fragment[1]);
	put_client_owner(a, seed, n_workers);
}

static void assemble(struct assembler *a, int map, uint64_t seed, unsigned int n_workers)
{
	unsigned int ipv4, ready;

	alu_reg(a, BPF_MOV, PACKET, R1);
	put_load(a, FRAME4_LEN);
	load(a, BPF_H, R0, ETHERTYPE);
	ipv4 = jump_if(a, RTE_BE16(RTE_ETHER_TYPE_IPV4));
	require(a, RTE_BE16(RTE_ETHER_TYPE_IPV6));
	put_ipv6(a, seed);
	ready = jump(a);
	land(a, ipv4);
	put_ipv4(a);
	land(a, ready);
	put_owner(a, map, seed, n_workers);
	for (unsigned int i = 0; i < a->n_other; i++)
		land(a, a->other[i]);
	alu(a, BPF_MOV, R0, 0);
	leave(a);
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
	return ebpf_call(BPF_PROG_LOAD, &attr);
}
