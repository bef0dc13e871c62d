/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbered datagrams by the million through an appliance whose ports are memif rings: one way, from
 * clients at the first ring to backends at the second, both played here. A DPDK process of its
 * own, without the appliance's code:
 *
 *   blast DIRECTORY WAN-SOCKET LAN-SOCKET RATE
 *
 * Flow f enters by queue f mod 2, so half of them cross between the workers; once told to steer, by
 * its owner's, as a NIC does it. A worker sends by the queue of its number, which tells whose
 * pauses are whose. Lines on standard input as load.c's: look, hold, go; steer; and rate N, which
 * holds. (A peer that connects anew would find workers
 * that use the former rings, so there is one run of this for one of the appliance.)
 */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "tests/chaos/thread.h"

#define QUEUES  2
#define FLOWS   16
#define BURST   32
#define WINDOW  (1u << 20) /* numbers of a flow that may be on their way, in any order */
#define RING    14         /* log2 of the places of a ring: 32 ms at a million a second over two */
#define ROOM    256        /* bytes of a place */
#define BUFFERS 32767
#define MISSED  2000 /* a part of a second: what we slept longer is left out */
#define REST_NS 30000
#define SECRET  UINT64_C(0x9e3779b97f4a7c15)

#define CLIENT  RTE_BE32(0xc0000202) /* 192.0.2.2 */
#define WAN     RTE_BE32(0xc0000201) /* 192.0.2.1 */
#define VIRTUAL RTE_BE32(0xc0000250) /* 192.0.2.80 */

struct frame {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	uint32_t flow;
	uint64_t number; /* from 1 */
	uint64_t check;
} __attribute__((packed, aligned(2)));

static struct flow {
	uint64_t sent, arrived;
	unsigned int queue; /* that it enters by */
	uint64_t *seen;     /* the number that came last in each place */
} flows[FLOWS];

static FILE *answers;
static struct rte_mempool *pool;
static struct rte_ether_addr own = {{0x02, 0, 0, 0, 0, 0x01}}, appliance[2];
static bool known; /* the appliance's address on the first ring */
static uint64_t gap, last[QUEUES];
static atomic_bool held = true;
static bool steered; /* each flow enters by its owner's queue */

/* Since the last look. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t doubled, wrong, pause_tsc, own_gap_tsc;

/* ---- frames ------------------------------------------------------------------------------- */

static uint64_t check_of(uint32_t flow, uint64_t number)
{
	return ((uint64_t)flow << 48 ^ number) * SECRET;
}

static void make(struct rte_mbuf *m, uint32_t f)
{
	struct frame *p = (struct frame *)rte_pktmbuf_append(m, sizeof(*p));

	p->eth.dst_addr = appliance[0];
	p->eth.src_addr = own;
	p->eth.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	p->ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
				      .total_length = RTE_BE16(sizeof(*p) - sizeof(p->eth)),
				      .time_to_live = 64,
				      .next_proto_id = IPPROTO_UDP,
				      .src_addr = CLIENT,
				      .dst_addr = VIRTUAL};
	p->ip.hdr_checksum = rte_ipv4_cksum(&p->ip);
	p->udp = (struct rte_udp_hdr){
		.src_port = htons((uint16_t)(10000 + f)),
		.dst_port = RTE_BE16(7),
		.dgram_len = RTE_BE16(sizeof(*p) - sizeof(p->eth) - sizeof(p->ip))};
	p->flow = f;
	p->number = ++flows[f].sent;
	p->check = check_of(f, p->number);
}

static void arp(uint16_t port, uint16_t op, const struct rte_ether_addr *dst, rte_be32_t sip,
		rte_be32_t tip)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *eth;

	if (!m)
		return;
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, 60);
	memset(eth, 0, 60);
	*eth = (struct rte_ether_hdr){
		.dst_addr = *dst, .src_addr = own, .ether_type = RTE_BE16(RTE_ETHER_TYPE_ARP)};
	*(struct rte_arp_hdr *)(eth + 1) = (struct rte_arp_hdr){
		.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
		.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = 6,
		.arp_plen = 4,
		.arp_opcode = htons(op),
		.arp_data = {.arp_sha = own, .arp_sip = sip, .arp_tha = *dst, .arp_tip = tip}};
	if (!rte_eth_tx_burst(port, 0, &m, 1))
		rte_pktmbuf_free(m);
}

/* ---- what comes --------------------------------------------------------------------------- */

static void arrived(const struct frame *p, unsigned int owner, uint64_t now)
{
	struct flow *f = &flows[p->flow % FLOWS];

	if (p->flow >= FLOWS || p->check != check_of(p->flow, p->number)) {
		wrong++;
	} else if (f->seen[p->number % WINDOW] == p->number) {
		doubled++;
	} else {
		f->seen[p->number % WINDOW] = p->number;
		f->arrived++;
	}
	if (steered && p->flow < FLOWS)
		f->queue = owner;
	if (last[owner] && now - last[owner] > pause_tsc)
		pause_tsc = now - last[owner];
	last[owner] = now;
}

static void look_at(struct rte_mbuf *m, uint16_t port, unsigned int queue, uint64_t now)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_arp_hdr *a = (const struct rte_arp_hdr *)(eth + 1);

	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP)) {
		appliance[port] = eth->src_addr;
		known |= port == 0;
		if (a->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST))
			arp(port, RTE_ARP_OP_REPLY, &eth->src_addr, a->arp_data.arp_tip,
			    a->arp_data.arp_sip);
	} else if (port == 1 && rte_pktmbuf_data_len(m) >= sizeof(struct frame)) {
		arrived(rte_pktmbuf_mtod(m, const struct frame *), queue, now);
	}
}

static bool receive(void)
{
	struct rte_mbuf *pkt[BURST];
	bool some = false;

	for (uint16_t at = 0; at < 2 * QUEUES; at++) {
		uint16_t n = rte_eth_rx_burst(at / QUEUES, at % QUEUES, pkt, BURST);
		uint64_t now = rte_rdtsc();

		for (uint16_t i = 0; i < n; i++)
			look_at(pkt[i], at / QUEUES, at % QUEUES, now);
		rte_pktmbuf_free_bulk(pkt, n);
		some |= n > 0;
	}
	return some;
}

/* ---- what goes ---------------------------------------------------------------------------- */

/* A full ring takes no more: those are lost on the way in, and counted so. */
static void send_burst(unsigned int n)
{
	struct rte_mbuf *pkt[BURST], *of[QUEUES][BURST];
	uint16_t k[QUEUES] = {0}, sent;
	static uint32_t next;

	if (rte_pktmbuf_alloc_bulk(pool, pkt, n))
		return;
	for (unsigned int i = 0; i < n; i++, next = (next + 1) % FLOWS) {
		unsigned int q = flows[next].queue;

		make(pkt[i], next);
		of[q][k[q]++] = pkt[i];
	}
	for (uint16_t q = 0; q < QUEUES; q++) {
		sent = rte_eth_tx_burst(0, q, of[q], k[q]);
		rte_pktmbuf_free_bulk(of[q] + sent, k[q] - sent);
	}
}

static void send_due(uint64_t *due)
{
	uint64_t now = rte_rdtsc(), n;

	if (now > *due && now - *due > rte_get_tsc_hz() / MISSED)
		*due = now - rte_get_tsc_hz() / MISSED;
	for (; now > *due && (n = RTE_MIN((now - *due) / gap, (uint64_t)BURST)); *due += n * gap)
		send_burst((unsigned int)n);
}

/* Until we know where to: ask. */
static void look_for_appliance(void)
{
	const struct rte_ether_addr all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	static uint64_t ask;

	if (known || rte_rdtsc() < ask)
		return;
	arp(0, RTE_ARP_OP_REQUEST, &all, CLIENT, WAN);
	ask = rte_rdtsc() + rte_get_tsc_hz() / 10;
}

/* How long we ourselves were away: no pause shorter than that is the appliance's. */
static void note_gap(uint64_t *since)
{
	uint64_t now = rte_rdtsc();

	own_gap_tsc = RTE_MAX(own_gap_tsc, now - *since);
	*since = now;
}

/* We take a CPU that a worker needs, so we rest when there is nothing to take; never for long. */
static void run(void)
{
	uint64_t due = rte_rdtsc(), since = due;
	bool some;

	go_first();
	for (;;) {
		pthread_mutex_lock(&lock);
		note_gap(&since);
		some = receive();
		look_for_appliance();
		if (known && !atomic_load(&held))
			send_due(&due);
		else
			due = rte_rdtsc();
		pthread_mutex_unlock(&lock);
		if (!some)
			sleep_until(now_ns() + REST_NS);
	}
}

/* ---- commands ----------------------------------------------------------------------------- */

static void look(void)
{
	static uint64_t sent_before, lost_before;
	uint64_t sent = 0, lost = 0, us = rte_get_tsc_hz() / 1000000;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < FLOWS; i++) {
		sent += flows[i].sent;
		lost += flows[i].sent - flows[i].arrived;
	}
	fprintf(answers,
		"{\"sent\":%lu,\"lost\":%ld,\"doubled\":%lu,\"wrong\":%lu,\"moved\":0,"
		"\"pause_us\":%lu,\"sender_us\":%lu,\"machine_us\":%lu,\"tcp\":{\"open\":0,"
		"\"late\":0,\"broken\":0,\"wrong\":0,\"exchanges\":0}}\n",
		sent - sent_before, (long)(lost - lost_before), doubled, wrong, pause_tsc / us,
		own_gap_tsc / us, machine_look());
	sent_before = sent;
	lost_before = lost;
	doubled = wrong = pause_tsc = own_gap_tsc = 0;
	pthread_mutex_unlock(&lock);
}

static void set(bool hold, uint64_t rate)
{
	pthread_mutex_lock(&lock);
	if (!hold) /* silence of our own is no pause; what still comes after it ends one */
		memset(last, 0, sizeof(last));
	atomic_store(&held, hold);
	if (rate)
		gap = rte_get_tsc_hz() / rate;
	pthread_mutex_unlock(&lock);
	fprintf(answers, "{}\n");
}

static void steer(void)
{
	pthread_mutex_lock(&lock);
	steered = true;
	pthread_mutex_unlock(&lock);
	fprintf(answers, "{}\n");
}

static void *obey(void *unused)
{
	char line[64];

	(void)unused;
	while (fgets(line, sizeof(line), stdin)) {
		if (!strncmp(line, "look", 4))
			look();
		else if (!strncmp(line, "steer", 5))
			steer();
		else if (!strncmp(line, "rate ", 5))
			set(true, strtoul(line + 5, NULL, 10));
		else
			set(*line == 'h', 0);
		fflush(answers);
	}
	_exit(0);
}

static void open_port(uint16_t port)
{
	struct rte_eth_conf conf = {0};
	int rc = rte_eth_dev_configure(port, QUEUES, QUEUES, &conf);

	for (uint16_t q = 0; q < QUEUES && !rc; q++) {
		rc = rte_eth_rx_queue_setup(port, q, 1 << RING, 0, NULL, pool);
		if (!rc)
			rc = rte_eth_tx_queue_setup(port, q, 1 << RING, 0, NULL);
	}
	if (!rc)
		rc = rte_eth_dev_start(port);
	if (rc)
		rte_exit(1, "port %u: %s\n", port, rte_strerror(-rc));
}

int main(int argc, char **argv)
{
	char vdev[2][256], lcores[48];
	char *args[] = {argv[0],
			"--no-huge",
			"--file-prefix=blast",
			"-m",
			"256",
			"--no-pci",
			"--no-telemetry",
			lcores,
			"--log-level=lib.*:error",
			vdev[0],
			vdev[1],
			NULL};

	if (argc != 5 || setenv("RUNTIME_DIRECTORY", argv[1], 1)) /* the library's files */
		return 2;
	answers = fdopen(dup(STDOUT_FILENO), "w");
	dup2(STDERR_FILENO, STDOUT_FILENO); /* the library speaks there, too */
	snprintf(lcores, sizeof(lcores), "--lcores=0@(0-%ld)", sysconf(_SC_NPROCESSORS_ONLN) - 1);
	for (int i = 0; i < 2; i++)
		snprintf(
			vdev[i], sizeof(vdev[i]),
			"--vdev=net_memif%d,role=client,id=0,socket=%s,socket-abstract=no,rsize=%d,"
			"bsize=%d",
			i, argv[2 + i], RING, ROOM);
	if (rte_eal_init(11, args) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("blast", BUFFERS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (!pool)
		rte_exit(1, "no buffers\n");
	for (unsigned int i = 0; i < FLOWS; i++) {
		flows[i].seen = calloc(WINDOW, sizeof(uint64_t));
		flows[i].queue = i % QUEUES;
	}
	gap = rte_get_tsc_hz() / strtoul(argv[4], NULL, 10);
	open_port(0);
	open_port(1);
	start_thread(obey, NULL);
	machine_start();
	run();
	return 0;
}
