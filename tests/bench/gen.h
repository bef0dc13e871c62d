/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients and backends for benchmarks, inside the worker's own process and thread: what the
 * worker receives is made here, what it sends ends or is answered here. Buffers are
 * taken from the worker's pool and freed to it as a NIC's driver would.
 *
 *   port 0: clients. receive: answers that are due, then new requests. send: client's reaction.
 *   port 1: backends. receive: what the backends answered. send: backend's reaction.
 * With one arm both are port 0. One way: backends answer clients by another way, not through us;
 * what reaches one ends there, as its answer ends at a client otherwise. Datagrams only.
 */
#ifndef BENCH_GEN_H
#define BENCH_GEN_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct worker;

enum gen_load {
	GEN_STEADY, /* flows are opened once, then packets of flows in some order */
	GEN_NEW,    /* every request opens a connection */
};

enum gen_order { GEN_ROUND_ROBIN, GEN_UNIFORM, GEN_ZIPF };

#define GEN_SAMPLES 65536

struct gen_config {
	enum gen_load load;
	enum gen_order order;
	bool tcp;
	bool oneway;
	bool ipv6; /* clients; backends answer in the family that they are asked in. Two arms, one
		      owner */
	unsigned int arms;     /* 1 or 2 */
	uint32_t flows;        /* STEADY: of this worker; NEW: connections to open in all */
	uint32_t frame;        /* bytes of a request, without FCS */
	uint32_t owners;       /* workers among which clients are shared out; this one's are used */
	uint64_t gap_tsc;      /* cycles between requests; 0: as fast as they are taken */
	uint32_t sample_every; /* with a gap: answers whose latency is kept, at most GEN_SAMPLES */
};

/* The life of a run. */
enum gen_phase {
	GEN_OPENING, /* STEADY: flows are opened one after the other; NEW: the first few */
	GEN_RUNNING,
	GEN_DONE, /* NEW: all were opened */
};

void gen_init(const struct gen_config *config, struct worker *w);
enum gen_phase gen_phase(void);

/* The two halves of a port, as a driver's burst functions. */
uint16_t gen_receive(unsigned int port, struct rte_mbuf **pkt, uint16_t n);
uint16_t gen_send(unsigned int port, struct rte_mbuf **pkt, uint16_t n);

/* Make no new requests; whether every packet under way has arrived. */
void gen_hold(bool hold);
bool gen_empty(void);

/* Packets that the clients got back, and connections whose life ended. */
uint64_t gen_answers(void);
uint64_t gen_lives(void);

/* Added latency of answers, TSC cycles, in the order of their arrival; how many. */
uint32_t gen_latencies(uint32_t **samples);

#endif
