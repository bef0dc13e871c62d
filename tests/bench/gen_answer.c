/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers: what clients and backends do with a frame that the worker sent. */
#include <netinet/in.h>

#include <rte_cycles.h>

#include <sluice/csum.h>

#include "secondary/worker.h"
#include "tests/bench/gen_frame.h"
#include "tests/bench/gen_state.h"

static void set_flags(struct rte_tcp_hdr *tcp, uint8_t flags)
{
	uint16_t from = rte_cpu_to_be_16((uint16_t)(tcp->data_off << 8 | tcp->tcp_flags));
	uint16_t to = rte_cpu_to_be_16((uint16_t)(tcp->data_off << 8 | flags));

	tcp->cksum = sl_csum_apply(tcp->cksum, sl_csum_fold(sl_csum_delta16(from, to)));
	tcp->tcp_flags = flags;
}

/* The frame goes back where it came from. */
static void turn_round(struct rte_mbuf *m, unsigned int port)
{
	struct rte_ether_hdr *eth = frame_eth(m);

	gen_swap_ends(m);
	eth->src_addr = GEN_HOST_MAC;
	eth->dst_addr = gen.w->root->port[port].mac;
}

/* A datagram is where it ends: its flow's first one, until all are open. */
static void datagram_arrived(void)
{
	if (gen.established < gen.opened) {
		gen.established++;
		gen.lives++;
	}
}

static void backend_got(struct rte_mbuf *m, unsigned int port)
{
	if (gen.config.oneway) {
		datagram_arrived();
		rte_pktmbuf_free(m);
		return;
	}
	if (gen.config.tcp) {
		uint8_t flags = gen_tcp(m)->tcp_flags;

		if (flags == RTE_TCP_ACK_FLAG) {
			gen.lives++;
			rte_pktmbuf_free(m);
			return;
		}
		if (flags & RTE_TCP_SYN_FLAG)
			set_flags(gen_tcp(m), RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG);
	}
	turn_round(m, port);
	gen_fifo_put(&gen.fifo[port], m);
}

/* What a TCP client says next; 0: nothing. */
static uint8_t client_says(uint8_t flags)
{
	if (flags & RTE_TCP_SYN_FLAG)
		return RTE_TCP_PSH_FLAG | RTE_TCP_ACK_FLAG;
	if (gen.config.load == GEN_STEADY || flags == RTE_TCP_ACK_FLAG)
		return 0; /* the reference brings the client's own last ACK back */
	return flags & RTE_TCP_FIN_FLAG ? RTE_TCP_ACK_FLAG : RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG;
}

static void take_sample(const struct rte_mbuf *m)
{
	if (!gen.config.gap_tsc || gen.phase != GEN_RUNNING || gen.n_samples == GEN_SAMPLES ||
	    gen.answers % gen.config.sample_every)
		return;
	gen.sample[gen.n_samples++] = (uint32_t)rte_rdtsc() -
				      *rte_pktmbuf_mtod_offset(m, uint32_t *, gen.config.frame - 4);
}

static void client_got(struct rte_mbuf *m)
{
	uint8_t says = 0;

	gen.answers++;
	if (gen.config.tcp) {
		uint8_t flags = gen_tcp(m)->tcp_flags;

		says = client_says(flags);
		/* NEW: a life is over when the last ACK is on its way */
		gen.established +=
			flags & (gen.config.load == GEN_NEW ? RTE_TCP_FIN_FLAG : RTE_TCP_SYN_FLAG)
				? 1
				: 0;
	} else {
		datagram_arrived();
	}
	take_sample(m);
	if (!says) {
		rte_pktmbuf_free(m);
		return;
	}
	set_flags(gen_tcp(m), says);
	turn_round(m, 0);
	gen_fifo_put(&gen.fifo[0], m);
}

/* What is asked and said about neighbours; the bench has no other ICMPv6. */
static bool is_for_neighbour(struct rte_mbuf *m)
{
	if (likely(frame_eth(m)->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		return false;
	return !gen_is_ipv6(m) || frame6_ip(m)->next_header == IPPROTO_ICMPV6;
}

/* With one arm the address tells; a reference may have swapped addresses, its ports tell. */
static bool is_for_backend(struct rte_mbuf *m, unsigned int port)
{
	return port == 1 ||
	       (gen.config.arms == 1 && (frame_ip(m)->dst_addr & 0xff) != GEN_CLIENTS >> 24);
}

uint16_t gen_send(unsigned int port, struct rte_mbuf **pkt, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkt[i];

		if (unlikely(is_for_neighbour(m)))
			gen_neighbour_got(m, port);
		else if (is_for_backend(m, port))
			backend_got(m, port);
		else
			client_got(m);
	}
	return n;
}
