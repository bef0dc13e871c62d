/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The UDP servers: an XDP program at the servers' device sends datagrams of ours back before a
 * socket would be asked, so that what a round trip costs is the appliance's part more than
 * theirs. It tells the client from whom the servers saw it come, in `struct seen`, which is 0 on
 * the way there; and adds that to the checksum (RFC 1624). All else passes to the kernel. The
 * device is a tap whose reader expects a struct tun_pi before each frame (DPDK's does), which the
 * kernel puts before its own frames but not before those that a program sends back: so we do.
 *
 * It is held by our file, and goes with it or with the device.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/chaos/load.h"

/* Of a frame: IPv4 without options, UDP, the datagram. */
#define ETHERTYPE 12
#define VERSION   14
#define FRAGMENT  20
#define PROTOCOL  23
#define SOURCE    26
#define DEST      30
#define SPORT     34
#define DPORT     36
#define LENGTH    38
#define CHECKSUM  40
#define DATA      42
#define SEEN      (DATA + (int)offsetof(struct datagram, seen))

enum reg { R0, R1, R2, R3, R4, R5, ADDR, PORT, A, B };
#define FRAME   R2
#define SUM     R4
#define CONTEXT ADDR /* later, and over the call */

#define OP(c, d, s, o, i) \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD(size, d, at)  OP(BPF_LDX | BPF_MEM | (size), d, FRAME, at, 0)
#define STORE(size, at, s) OP(BPF_STX | BPF_MEM | (size), FRAME, s, at, 0)
#define DO(op, d, s)       OP(BPF_ALU64 | BPF_X | (op), d, s, 0, 0)
#define DO_K(op, d, k)     OP(BPF_ALU64 | BPF_K | (op), d, 0, 0, k)
#define UNLESS(d, k, to)   OP(BPF_JMP | BPF_K | BPF_JNE, d, 0, to, k)
#define SWAP(size, one, other) \
	LOAD(size, A, one), LOAD(size, B, other), STORE(size, one, B), STORE(size, other, A)

/* A jump to the last two instructions; they are counted when the program is whole. */
#define PASS (-1)

static int load(struct bpf_insn *insn, unsigned int n)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uint64_t)insn,
		.insn_cnt = n,
		.license = (uint64_t) "BSD",
	};

	for (unsigned int i = 0; i < n; i++)
		if (insn[i].off == PASS)
			insn[i].off = (int16_t)(n - 2 - i - 1);
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int program(uint16_t port)
{
	struct bpf_insn insn[] = {
		OP(BPF_LDX | BPF_MEM | BPF_W, FRAME, R1, offsetof(struct xdp_md, data), 0),
		OP(BPF_LDX | BPF_MEM | BPF_W, R3, R1, offsetof(struct xdp_md, data_end), 0),
		DO(BPF_MOV, R4, FRAME),
		DO_K(BPF_ADD, R4, DATA + (int)sizeof(struct datagram)),
		OP(BPF_JMP | BPF_X | BPF_JGT, R4, R3, PASS, 0),
		LOAD(BPF_H, R0, ETHERTYPE),
		UNLESS(R0, htons(ETHERTYPE_IP), PASS),
		LOAD(BPF_B, R0, VERSION),
		UNLESS(R0, 0x45, PASS),
		LOAD(BPF_H, R0, FRAGMENT),
		DO_K(BPF_AND, R0, htons(0x3fff)),
		UNLESS(R0, 0, PASS),
		LOAD(BPF_B, R0, PROTOCOL),
		UNLESS(R0, IPPROTO_UDP, PASS),
		LOAD(BPF_H, R0, DPORT),
		UNLESS(R0, htons(port), PASS),
		LOAD(BPF_H, R0, LENGTH),
		UNLESS(R0, htons(8 + sizeof(struct datagram)), PASS),

		LOAD(BPF_W, ADDR, SOURCE),
		LOAD(BPF_H, PORT, SPORT),
		STORE(BPF_W, SEEN + (int)offsetof(struct seen, address), ADDR),
		STORE(BPF_H, SEEN + (int)offsetof(struct seen, port), PORT),
		LOAD(BPF_H, SUM, CHECKSUM),
		DO_K(BPF_XOR, SUM, 0xffff),
		DO(BPF_ADD, SUM, PORT),
		DO(BPF_MOV, R0, ADDR),
		DO_K(BPF_AND, R0, 0xffff),
		DO(BPF_ADD, SUM, R0),
		DO_K(BPF_RSH, ADDR, 16),
		DO(BPF_ADD, SUM, ADDR),
		DO(BPF_MOV, R0, SUM),
		DO_K(BPF_RSH, R0, 16),
		DO_K(BPF_AND, SUM, 0xffff),
		DO(BPF_ADD, SUM, R0),
		DO(BPF_MOV, R0, SUM),
		DO_K(BPF_RSH, R0, 16),
		DO(BPF_ADD, SUM, R0),
		DO_K(BPF_XOR, SUM, 0xffff),
		STORE(BPF_H, CHECKSUM, SUM),

		SWAP(BPF_W, 0, 6),
		SWAP(BPF_H, 4, 10),
		SWAP(BPF_W, SOURCE, DEST),
		SWAP(BPF_H, SPORT, DPORT),

		DO(BPF_MOV, CONTEXT, R1),
		DO_K(BPF_MOV, R2, -(int)sizeof(struct tun_pi)),
		OP(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_xdp_adjust_head),
		UNLESS(R0, 0, PASS),
		OP(BPF_LDX | BPF_MEM | BPF_W, FRAME, CONTEXT, offsetof(struct xdp_md, data), 0),
		OP(BPF_LDX | BPF_MEM | BPF_W, R3, CONTEXT, offsetof(struct xdp_md, data_end), 0),
		DO(BPF_MOV, R4, FRAME),
		DO_K(BPF_ADD, R4, sizeof(struct tun_pi)),
		OP(BPF_JMP | BPF_X | BPF_JGT, R4, R3, PASS, 0),
		DO_K(BPF_MOV, R0, 0),
		STORE(BPF_H, offsetof(struct tun_pi, flags), R0),
		DO_K(BPF_MOV, R0, htons(ETHERTYPE_IP)),
		STORE(BPF_H, offsetof(struct tun_pi, proto), R0),
		DO_K(BPF_MOV, R0, XDP_TX),
		OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		DO_K(BPF_MOV, R0, XDP_PASS),
		OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return load(insn, sizeof(insn) / sizeof(insn[0]));
}

void echo_at(const char *device, uint16_t port)
{
	static int prog = -1, link = -1;
	union bpf_attr attr = {0};

	if (prog < 0)
		prog = program(port);
	if (prog < 0)
		die("XDP program");
	if (link >= 0)
		close(link);
	attr.link_create.prog_fd = (uint32_t)prog;
	attr.link_create.target_ifindex = if_nametoindex(device);
	attr.link_create.attach_type = BPF_XDP;
	link = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (link < 0)
		die(device);
}
