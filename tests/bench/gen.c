/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/bench/gen.h"

#include <math.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include <sluice/csum.h>
#include <sluice/owner.h>

#include "secondary/frame.h"
#include "secondary/worker.h"

#define VIP         RTE_BE32(0xc0000250) /* 192.0.2.80 */
#define CLIENTS     0x0a000000u          /* 10.0.0.0/8, host order */
#define CLIENT_BITS 20
#define FIFO        4096 /* frames under way to the worker, per port; a power of two */
#define KNOWN       256u /* connections after which every backend is a known neighbour */

struct fifo {
	uint32_t head, tail;
	struct rte_mbuf *pkt[FIFO];
};

static struct {
	struct gen_config config;
	struct worker *w;
	enum gen_phase phase;
	bool hold;
	uint32_t opened;      /* flows asked to open */
	uint64_t established; /* ... and that answered */
	uint64_t next;        /* round robin */
	uint64_t random;
	double zipf_scale;
	uint64_t due; /* TSC of the next request */
	uint64_t answers, lives;
	struct fifo fifo[2];
	uint8_t frame[1518]; /* a request of flow "none" */
	uint32_t l3_sum, l4_sum;
	uint32_t n_samples;
	uint32_t sample[GEN_SAMPLES];
} g;

static struct rte_ether_addr host_mac = {{0x02, 0, 0, 0, 0, 0x01}};

enum gen_phase gen_phase(void)
{
	return g.phase;
}

uint64_t gen_answers(void)
{
	return g.answers;
}

uint64_t gen_lives(void)
{
	return g.lives;
}

void gen_hold(bool hold)
{
	g.hold = hold;
}

bool gen_empty(void)
{
	return g.fifo[0].head == g.fifo[0].tail && g.fifo[1].head == g.fifo[1].tail;
}

static void fifo_put(struct fifo *f, struct rte_mbuf *m)
{
	if (f->tail - f->head == FIFO)
		rte_pktmbuf_free(m);
	else
		f->pkt[f->tail++ % FIFO] = m;
}

static uint16_t fifo_take(struct fifo *f, struct rte_mbuf **pkt, uint16_t n)
{
	uint16_t i = 0;

	while (i < n && f->head != f->tail)
		pkt[i++] = f->pkt[f->head++ % FIFO];
	return i;
}

/* ---- requests ------------------------------------------------------------------------ */

static void make_template(void)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)g.frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	uint16_t l4_len = (uint16_t)(g.config.frame - FRAME_L4);

	eth->src_addr = host_mac;
	eth->dst_addr = g.w->root->port[0].mac;
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)(g.config.frame - FRAME_L3)),
		.time_to_live = 64,
		.next_proto_id = g.config.tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.dst_addr = VIP,
	};
	if (g.config.tcp) {
		struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

		tcp->dst_port = RTE_BE16(80);
		tcp->data_off = 5 << 4;
	} else {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

		udp->dst_port = RTE_BE16(80);
		udp->dgram_len = rte_cpu_to_be_16(l4_len);
	}
	g.l3_sum = rte_raw_cksum(ip, sizeof(*ip));
	g.l4_sum = rte_raw_cksum(ip + 1, l4_len) + rte_raw_cksum(&ip->dst_addr, 4) +
		   rte_cpu_to_be_16(ip->next_proto_id) + rte_cpu_to_be_16(l4_len);
}

/* The client endpoint of flow f: one whose owner is this worker. */
static void client_of(uint64_t f, rte_be32_t *addr, rte_be16_t *port)
{
	uint32_t p = 1024 + (uint32_t)(f >> CLIENT_BITS) * 8;

	*addr = rte_cpu_to_be_32(CLIENTS + (uint32_t)(f & ((1u << CLIENT_BITS) - 1)));
	do
		*port = rte_cpu_to_be_16((uint16_t)p++);
	while (g.config.owners > 1 &&
	       sl_owner_client(*addr, *port, g.w->root->seed, g.config.owners) != g.w->id);
}

static void make_request(struct rte_mbuf *m, uint64_t f, uint8_t flags)
{
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *ports;
	rte_be32_t addr;
	rte_be16_t port;
	uint32_t addr_sum;

	m->data_len = (uint16_t)g.config.frame;
	m->pkt_len = g.config.frame;
	memcpy(rte_pktmbuf_mtod(m, void *), g.frame, 64);
	ip = frame_ip(m);
	ports = frame_udp(m);
	client_of(f, &addr, &port);
	ip->src_addr = addr;
	ports->src_port = port;
	addr_sum = (ip->src_addr & 0xffff) + (ip->src_addr >> 16);
	ip->hdr_checksum = (uint16_t)~sl_csum_fold(g.l3_sum + addr_sum);
	if (!g.config.tcp) {
		ports->dgram_cksum = (uint16_t)~sl_csum_fold(g.l4_sum + addr_sum + ports->src_port);
		return;
	}
	frame_tcp(m)->tcp_flags = flags;
	frame_tcp(m)->cksum = (uint16_t)~sl_csum_fold(g.l4_sum + addr_sum + ports->src_port +
						      rte_cpu_to_be_16(flags));
}

static uint64_t next_random(void)
{
	g.random ^= g.random << 13; /* xorshift64, Marsaglia 2003 */
	g.random ^= g.random >> 7;
	g.random ^= g.random << 17;
	return g.random;
}

/* The flow of the next request. Zipf with exponent 1, by inversion of the integral 1/x. */
static uint64_t next_flow(void)
{
	uint64_t r;

	switch (g.config.order) {
	case GEN_ROUND_ROBIN: return g.next++ % g.config.flows;
	case GEN_UNIFORM: return (next_random() >> 32) * g.config.flows >> 32;
	default:
		r = (uint64_t)exp((double)(next_random() >> 11) * 0x1p-53 * g.zipf_scale) - 1;
		return RTE_MIN(r, g.config.flows - 1u);
	}
}

static uint16_t requests_due(uint16_t n)
{
	uint64_t now;

	if (!g.config.gap_tsc || g.phase != GEN_RUNNING)
		return n;
	now = rte_rdtsc();
	if (now < g.due)
		return 0;
	return (uint16_t)RTE_MIN((now - g.due) / g.config.gap_tsc + 1, (uint64_t)n);
}

/* When it was due, not when it was fetched: a receiver that sleeps is late. The checksum
 * is not right then; nobody on the way verifies it. */
static void stamp(struct rte_mbuf *m)
{
	if (!g.config.gap_tsc)
		return;
	*rte_pktmbuf_mtod_offset(m, uint32_t *, g.config.frame - 4) = (uint32_t)g.due;
	g.due += g.config.gap_tsc;
}

static void request(struct rte_mbuf *m)
{
	if (g.phase == GEN_RUNNING && g.config.load == GEN_STEADY) {
		make_request(m, next_flow(), RTE_TCP_PSH_FLAG | RTE_TCP_ACK_FLAG);
		stamp(m);
	} else {
		make_request(m, g.opened++, RTE_TCP_SYN_FLAG);
	}
}

/*
 * Opening pauses when the answers are behind, so that nothing is lost on the way; at first
 * after a few, since the appliance does not know the backends' MACs yet.
 */
static uint16_t may_open(uint16_t n)
{
	uint32_t ahead = g.established < KNOWN ? 4 : FIFO / 2;
	uint64_t pending = g.opened - g.established;

	if (pending >= ahead)
		return 0;
	n = (uint16_t)RTE_MIN((uint64_t)n, ahead - pending);
	if (g.phase == GEN_OPENING && g.config.load == GEN_NEW)
		n = (uint16_t)RTE_MIN((uint32_t)n, KNOWN - g.opened);
	return (uint16_t)RTE_MIN((uint32_t)n, g.config.flows - g.opened);
}

static uint16_t new_requests(uint16_t n)
{
	if (g.phase == GEN_DONE || g.hold)
		return 0;
	if (g.phase == GEN_RUNNING && g.config.load == GEN_STEADY)
		return requests_due(n);
	return may_open(n);
}

static void next_phase(void)
{
	uint32_t opening = g.config.load == GEN_NEW ? KNOWN : g.config.flows;

	if (g.phase == GEN_OPENING && g.established >= opening && g.established == g.opened) {
		g.phase = GEN_RUNNING;
		g.due = rte_rdtsc();
	} else if (g.phase == GEN_RUNNING && g.config.load == GEN_NEW &&
		   g.established == g.config.flows) {
		g.phase = GEN_DONE;
	}
}

uint16_t gen_receive(unsigned int port, struct rte_mbuf **pkt, uint16_t n)
{
	uint16_t got, want;

	if (port)
		return fifo_take(&g.fifo[1], pkt, n);
	next_phase();
	got = fifo_take(&g.fifo[0], pkt, g.config.arms == 1 ? n / 2 : n);
	want = new_requests(n - got);
	if (!want || rte_pktmbuf_alloc_bulk(g.w->slot->mempool, pkt + got, want))
		return got;
	for (uint16_t i = 0; i < want; i++)
		request(pkt[got + i]);
	return got + want;
}

/* ---- answers -------------------------------------------------------------------------- */

static void set_flags(struct rte_tcp_hdr *tcp, uint8_t flags)
{
	uint16_t from = rte_cpu_to_be_16((uint16_t)(tcp->data_off << 8 | tcp->tcp_flags));
	uint16_t to = rte_cpu_to_be_16((uint16_t)(tcp->data_off << 8 | flags));

	tcp->cksum = sl_csum_apply(tcp->cksum, sl_csum_fold(sl_csum_delta16(from, to)));
	tcp->tcp_flags = flags;
}

/* The frame goes back where it came from: no checksum changes. */
static void turn_round(struct rte_mbuf *m, unsigned int port)
{
	struct rte_ether_hdr *eth = frame_eth(m);
	struct rte_ipv4_hdr *ip = frame_ip(m);
	struct rte_udp_hdr *ports = frame_udp(m);
	rte_be32_t addr = ip->src_addr;
	rte_be16_t p = ports->src_port;

	ip->src_addr = ip->dst_addr;
	ip->dst_addr = addr;
	ports->src_port = ports->dst_port;
	ports->dst_port = p;
	eth->src_addr = host_mac;
	eth->dst_addr = g.w->root->port[port].mac;
}

static void backend_got(struct rte_mbuf *m, unsigned int port)
{
	if (g.config.tcp) {
		uint8_t flags = frame_tcp(m)->tcp_flags;

		if (flags == RTE_TCP_ACK_FLAG) {
			g.lives++;
			rte_pktmbuf_free(m);
			return;
		}
		if (flags & RTE_TCP_SYN_FLAG)
			set_flags(frame_tcp(m), RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG);
	}
	turn_round(m, port);
	fifo_put(&g.fifo[port], m);
}

/* What a TCP client says next; 0: nothing. */
static uint8_t client_says(uint8_t flags)
{
	if (flags & RTE_TCP_SYN_FLAG)
		return RTE_TCP_PSH_FLAG | RTE_TCP_ACK_FLAG;
	if (g.config.load == GEN_STEADY || flags == RTE_TCP_ACK_FLAG)
		return 0; /* the reference brings the client's own last ACK back */
	return flags & RTE_TCP_FIN_FLAG ? RTE_TCP_ACK_FLAG : RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG;
}

static void take_sample(const struct rte_mbuf *m)
{
	if (!g.config.gap_tsc || g.phase != GEN_RUNNING || g.n_samples == GEN_SAMPLES ||
	    g.answers % g.config.sample_every)
		return;
	g.sample[g.n_samples++] =
		(uint32_t)rte_rdtsc() - *rte_pktmbuf_mtod_offset(m, uint32_t *, g.config.frame - 4);
}

static void client_got(struct rte_mbuf *m)
{
	uint8_t says = 0;

	g.answers++;
	if (g.config.tcp) {
		uint8_t flags = frame_tcp(m)->tcp_flags;

		says = client_says(flags);
		/* NEW: a life is over when the last ACK is on its way */
		g.established +=
			flags & (g.config.load == GEN_NEW ? RTE_TCP_FIN_FLAG : RTE_TCP_SYN_FLAG)
				? 1
				: 0;
	} else if (g.established < g.opened) {
		g.established++;
		g.lives++;
	}
	take_sample(m);
	if (!says) {
		rte_pktmbuf_free(m);
		return;
	}
	set_flags(frame_tcp(m), says);
	turn_round(m, 0);
	fifo_put(&g.fifo[0], m);
}

/* ARP: everybody is at one MAC. */
static void arp_got(struct rte_mbuf *m, unsigned int port)
{
	struct rte_ether_hdr *eth = frame_eth(m);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(eth + 1);
	rte_be32_t asked = arp->arp_data.arp_tip;

	if (arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST)) {
		rte_pktmbuf_free(m);
		return;
	}
	eth->dst_addr = eth->src_addr;
	eth->src_addr = host_mac;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_tip = arp->arp_data.arp_sip;
	arp->arp_data.arp_sha = host_mac;
	arp->arp_data.arp_sip = asked;
	fifo_put(&g.fifo[port], m);
}

/* With one arm the address tells; a reference may have swapped addresses, its ports tell. */
static bool is_for_backend(struct rte_mbuf *m, unsigned int port)
{
	return port == 1 || (g.config.arms == 1 && (frame_ip(m)->dst_addr & 0xff) != CLIENTS >> 24);
}

uint16_t gen_send(unsigned int port, struct rte_mbuf **pkt, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkt[i];

		if (unlikely(frame_eth(m)->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4)))
			arp_got(m, port);
		else if (is_for_backend(m, port))
			backend_got(m, port);
		else
			client_got(m);
	}
	return n;
}

/* ---- begin and end ---------------------------------------------------------------------- */

uint32_t gen_latencies(uint32_t **samples)
{
	*samples = g.sample;
	return g.n_samples;
}

void gen_init(const struct gen_config *config, struct worker *w)
{
	g.config = *config;
	g.w = w;
	g.random = UINT64_C(88172645463325252) + w->id;
	g.zipf_scale = log((double)config->flows + 1);
	g.phase = GEN_OPENING;
	make_template();
}
