/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's whole loop. An input is a script of steps: frames on ports, frames and neighbours
 * from another worker, commands, time. Every packet gets a verdict (settle.c asserts that), every
 * buffer comes home, and what is sent is a whole frame with right checksums when what came had
 * them (first byte of the input, bit 0).
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>

#include <rte_arp.h>
#include <rte_icmp.h>
#include <rte_ring_elem.h>

#include <sluice/msg.h>

#include "secondary/fragment_table.h"
#include "secondary/frame.h"
#include "secondary/loop.h"
#include "tests/fuzz/lib/fuzz.h"
#include "tests/fuzz/lib/worker_bed.h"

#define STEPS_MAX 256
#define SENT      16 /* frames kept for answers */
#define RING_FULL 8  /* of the frames that a port takes at a time; more is dropped */

enum step {
	STEP_FRAME,   /* port, length, bytes */
	STEP_FLOW,    /* of a client: number, flags, payload */
	STEP_ANSWER,  /* to a frame that was sent */
	STEP_LENT,    /* as STEP_FRAME, from worker 1 */
	STEP_EVENT,   /* struct sl_neighbour_event */
	STEP_COMMAND, /* struct sl_command */
	STEP_TIME,    /* ticks */
	STEP_TURN,    /* what was received so far is a burst */
	STEP_MAX
};

static struct {
	struct bed *bed;
	struct fuzz_input in;
	bool right; /* frames get right checksums, and must keep them */
	unsigned int steps;
	struct rte_mbuf *received[2][SL_BURST];
	uint16_t n[2];
	struct {
		uint8_t port;
		uint16_t len;
		uint8_t bytes[FUZZ_FRAME_MAX];
	} sent[SENT];
	unsigned int n_sent;
	volatile sig_atomic_t stop;
} run;

/* ---- checksums ---- */

/* IPv4 without options that is as long as it says; NULL otherwise. */
static struct rte_ipv4_hdr *plain_ip(uint8_t *frame, size_t len)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);

	if (len < FRAME_L4 || eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
	    ip->version_ihl != RTE_IPV4_VHL_DEF || ntohs(ip->total_length) < sizeof(*ip) ||
	    ntohs(ip->total_length) > len - FRAME_L3)
		return NULL;
	return ip;
}

/* The checksum behind the header, for whole datagrams; NULL when there is none. */
static rte_be16_t *l4_checksum(struct rte_ipv4_hdr *ip)
{
	size_t len = ntohs(ip->total_length) - sizeof(*ip);

	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		return NULL;
	if (ip->next_proto_id == IPPROTO_TCP && len >= sizeof(struct rte_tcp_hdr))
		return &((struct rte_tcp_hdr *)(ip + 1))->cksum;
	if (ip->next_proto_id == IPPROTO_UDP && len >= sizeof(struct rte_udp_hdr))
		return &((struct rte_udp_hdr *)(ip + 1))->dgram_cksum;
	if (ip->next_proto_id == IPPROTO_ICMP && len >= sizeof(struct rte_icmp_hdr))
		return &((struct rte_icmp_hdr *)(ip + 1))->icmp_cksum;
	return NULL;
}

static uint16_t l4_sum(const struct rte_ipv4_hdr *ip)
{
	if (ip->next_proto_id == IPPROTO_ICMP)
		return (uint16_t)~rte_raw_cksum(ip + 1, ntohs(ip->total_length) - sizeof(*ip));
	return rte_ipv4_udptcp_cksum(ip, ip + 1);
}

static void put_right(uint8_t *frame, size_t len)
{
	struct rte_ipv4_hdr *ip = plain_ip(frame, len);
	rte_be16_t *sum = ip ? l4_checksum(ip) : NULL;

	if (!ip)
		return;
	if (sum && (*sum || ip->next_proto_id != IPPROTO_UDP)) {
		*sum = 0;
		*sum = l4_sum(ip);
	}
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* ---- what the worker sends ---- */

static void check_sums(uint8_t *frame, size_t len)
{
	struct rte_ipv4_hdr *ip = plain_ip(frame, len);
	rte_be16_t *sum;
	uint16_t was;

	FUZZ_CHECK(ip || ((struct rte_ether_hdr *)frame)->ether_type ==
				   RTE_BE16(RTE_ETHER_TYPE_ARP),
		   "neither whole IPv4 nor ARP is sent");
	if (!ip)
		return;
	FUZZ_CHECK(frame_ip_sum(ip) == 0xffff, "the IP checksum is wrong");
	sum = run.right ? l4_checksum(ip) : NULL;
	if (!sum || (!*sum && ip->next_proto_id == IPPROTO_UDP))
		return;
	was = *sum;
	*sum = 0;
	*sum = l4_sum(ip);
	FUZZ_CHECK(*sum == was || (!(uint16_t) ~*sum && !was) || (!*sum && !(uint16_t)~was),
		   "the checksum of protocol %u is 0x%04x instead of 0x%04x", ip->next_proto_id,
		   was, *sum);
}

static uint16_t on_send(unsigned int port, struct rte_mbuf **m, uint16_t n)
{
	uint16_t taken = RTE_MIN(n, (uint16_t)RING_FULL);

	for (uint16_t i = 0; i < taken; i++) {
		unsigned int at = run.n_sent++ % SENT;

		FUZZ_CHECK(m[i]->nb_segs == 1 && m[i]->data_len == m[i]->pkt_len, "segments");
		FUZZ_CHECK(rte_mbuf_refcnt_read(m[i]) == 1, "shared");
		FUZZ_CHECK(m[i]->data_len >= RTE_ETHER_HDR_LEN &&
				   m[i]->data_len <= run.bed->worker.frame_max[port],
			   "a frame of %u bytes", m[i]->data_len);
		run.sent[at].port = (uint8_t)port;
		run.sent[at].len = m[i]->data_len;
		memcpy(run.sent[at].bytes, rte_pktmbuf_mtod(m[i], void *), m[i]->data_len);
		check_sums(run.sent[at].bytes, m[i]->data_len);
	}
	rte_pktmbuf_free_bulk(m, taken);
	return taken;
}

/* ---- steps ---- */

static void to_us(uint8_t *frame, unsigned int port)
{
	static const struct rte_ether_addr from = {{2, 0, 0, 0, 9, 9}};
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;

	eth->dst_addr = run.bed->root.port[port].mac;
	eth->src_addr = from;
}

static void receive_frame(unsigned int port, uint8_t *frame, size_t len)
{
	struct rte_mbuf *m;

	if (run.n[port] == SL_BURST)
		return;
	if (run.right)
		put_right(frame, len);
	m = fuzz_bed_frame(0, frame, len);
	if (m)
		run.received[port][run.n[port]++] = m;
}

/* Of a frame step: bit 0 of the first byte is the port, bit 1 makes it one to us. */
static size_t read_frame(uint8_t *frame, unsigned int *port)
{
	uint8_t how = fuzz_u8(&run.in);
	size_t len = fuzz_u16(&run.in) % 1515, got;
	const uint8_t *bytes = fuzz_bytes(&run.in, len, &got);

	*port = how & 1;
	if (got)
		memcpy(frame, bytes, got);
	if (how & 2 && got >= RTE_ETHER_HDR_LEN)
		to_us(frame, *port);
	return got;
}

static void step_frame(void)
{
	uint8_t frame[FUZZ_FRAME_MAX];
	unsigned int port;
	size_t len = read_frame(frame, &port);

	if (len)
		receive_frame(port, frame, len);
}

static void step_lent(void)
{
	uint8_t frame[FUZZ_FRAME_MAX];
	unsigned int port;
	size_t len = read_frame(frame, &port);
	struct rte_mbuf *m;

	if (run.right)
		put_right(frame, len);
	m = len ? fuzz_bed_frame(1, frame, len) : NULL;
	if (!m)
		return;
	m->port = (uint16_t)port;
	fuzz_bed_lend(run.bed, m);
}

static size_t ip_frame(uint8_t *frame, uint32_t from, uint32_t to, uint8_t proto, size_t payload)
{
	size_t header =
		proto == IPPROTO_TCP ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr);
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);

	memset(frame, 0, FRAME_L4 + header + payload);
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
				    .total_length = htons(sizeof(*ip) + header + payload),
				    .time_to_live = 64,
				    .next_proto_id = proto,
				    .src_addr = from,
				    .dst_addr = to};
	return FRAME_L4 + header + payload;
}

/* A client's packet to what is served: always with right checksums. */
static void step_flow(void)
{
	uint8_t client = fuzz_u8(&run.in), flags = fuzz_u8(&run.in), size = fuzz_u8(&run.in);
	uint8_t proto = client & 1 ? IPPROTO_TCP : IPPROTO_UDP, frame[FUZZ_FRAME_MAX];
	size_t len = ip_frame(frame, htonl(0x0a000001u + (client >> 4)), inet_addr("192.0.2.80"),
			      proto, size);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(frame + FRAME_L4);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(frame + FRAME_L4);

	tcp->src_port = htons(1024 + (client >> 1 & 7)); /* in UDP's the same places */
	tcp->dst_port = htons(80);
	if (proto == IPPROTO_TCP) {
		tcp->data_off = 5 << 4;
		tcp->tcp_flags = flags;
	} else {
		udp->dgram_len = htons((uint16_t)(sizeof(*udp) + size));
		udp->dgram_cksum = flags & 1;
	}
	to_us(frame, 0);
	put_right(frame, len);
	receive_frame(0, frame, len);
}

static void turn_arp(struct rte_arp_hdr *arp, const struct rte_ether_addr *mac)
{
	struct rte_arp_ipv4 asked = arp->arp_data;

	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_sip = asked.arp_tip;
	arp->arp_data.arp_tip = asked.arp_sip;
	arp->arp_data.arp_tha = asked.arp_sha;
	arp->arp_data.arp_sha = *mac;
}

static void turn_ip(uint8_t *frame, size_t len, uint8_t flags)
{
	struct rte_ipv4_hdr *ip = plain_ip(frame, len);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);
	rte_be32_t from;
	rte_be16_t port;

	if (!ip)
		return;
	from = ip->src_addr;
	ip->src_addr = ip->dst_addr;
	ip->dst_addr = from;
	if (l4_checksum(ip) && ip->next_proto_id != IPPROTO_ICMP) {
		port = tcp->src_port;
		tcp->src_port = tcp->dst_port;
		tcp->dst_port = port;
		if (ip->next_proto_id == IPPROTO_TCP)
			tcp->tcp_flags = flags;
	}
	ip->time_to_live = 64;
	put_right(frame, len);
}

/* The other side's answer to one of the last frames. */
static void step_answer(void)
{
	uint8_t which = fuzz_u8(&run.in), flags = fuzz_u8(&run.in), frame[FUZZ_FRAME_MAX];
	unsigned int n = RTE_MIN(run.n_sent, (unsigned int)SENT);
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	size_t len;

	if (!n)
		return;
	which = (uint8_t)((run.n_sent - 1 - which % n) % SENT);
	len = run.sent[which].len;
	memcpy(frame, run.sent[which].bytes, len);
	to_us(frame, run.sent[which].port);
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP) &&
	    len >= sizeof(*eth) + sizeof(struct rte_arp_hdr))
		turn_arp((struct rte_arp_hdr *)(eth + 1), &eth->src_addr);
	else
		turn_ip(frame, len, flags);
	receive_frame(run.sent[which].port, frame, len);
}

static void step_event(void)
{
	struct sl_neighbour_event event;

	fuzz_copy(&run.in, &event, sizeof(event));
	fuzz_bed_tell(run.bed, &event);
}

/* Also: what is current when the worker looks. */
static void step_command(void)
{
	uint8_t how = fuzz_u8(&run.in);
	struct sl_command command;

	fuzz_copy(&run.in, &command, sizeof(command));
	if (how & 1)
		run.bed->root.arena.current = how & 2 ? SL_CURRENT(how >> 2, 0) : 0;
	if (how & 4)
		run.bed->served->route_epoch++;
	if (how & 8)
		run.bed->served->timeout[(how >> 4) % SL_CONN_STATE_MAX] /= 2;
	rte_ring_sp_enqueue_elem(run.bed->slot.command, &command, sizeof(command));
}

static void step_time(void)
{
	struct worker *w = &run.bed->worker;
	uint8_t ticks = fuzz_u8(&run.in);

	w->clock.tick += ticks;
	w->clock.ns += ticks * (UINT64_C(1000000000) / SL_TICK_HZ);
	for (int i = 0; i < 64 && (!i || conn_sweep_behind(w)); i++)
		conn_sweep(w);
	if (!w->snapshot)
		return;
	neigh_tick(w);
	fragment_table_expire(w);
}

/* False: the burst is complete. */
static bool take_step(void)
{
	static void (*const steps[])(void) = {
		[STEP_FRAME] = step_frame, [STEP_FLOW] = step_flow,   [STEP_ANSWER] = step_answer,
		[STEP_LENT] = step_lent,   [STEP_EVENT] = step_event, [STEP_COMMAND] = step_command,
		[STEP_TIME] = step_time,
	};
	uint8_t step = fuzz_u8(&run.in) % STEP_MAX;

	if (step == STEP_TURN)
		return false;
	steps[step]();
	return true;
}

static uint16_t on_receive(unsigned int port, struct rte_mbuf **m, uint16_t n)
{
	if (port == 0) {
		bool more = true;

		fuzz_bed_peer_turn(run.bed);
		while (more && run.in.left && ++run.steps < STEPS_MAX)
			more = take_step();
		run.stop = more; /* the script is over */
	}
	FUZZ_CHECK(run.n[port] <= n, "a burst of %u", run.n[port]);
	n = run.n[port];
	memcpy(m, run.received[port], n * sizeof(*m));
	run.n[port] = 0;
	return n;
}

static void check_answers(void)
{
	struct sl_answer answer;

	while (!rte_ring_sc_dequeue_elem(run.bed->slot.answer, &answer, sizeof(answer)))
		FUZZ_CHECK(answer.status <= 0, "status %d", answer.status);
}

/* A bed's memory is used again at once, which makes each input several times as quick. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fuzz_bed_init(argc, argv);
	fuzz_ports.receive = on_receive;
	fuzz_ports.send = on_send;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	run.bed = fuzz_bed_new();
	run.in = (struct fuzz_input){data, len};
	run.right = fuzz_u8(&run.in) & 1;
	run.steps = run.n_sent = 0;
	run.stop = 0;
	loop_run(&run.bed->worker, &run.stop);
	neigh_drop_waiting(&run.bed->worker); /* its successor would have them */
	check_answers();
	fuzz_bed_free(run.bed);
	return 0;
}
