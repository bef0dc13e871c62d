/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker slot in plain memory, without DPDK processes: for tests of the tables. One
 * virtual server, one local address; the snapshot holds timeouts only as far as a
 * test sets more.
 */
#ifndef TESTS_BED_H
#define TESTS_BED_H

#include <rte_ethdev.h>

#include "secondary/worker.h"

struct bed {
	struct sl_root root;
	struct sl_worker_slot slot;
	struct sl_snapshot snapshot;
	struct sl_snapshot *served; /* bed_serve()'s */
	struct worker worker;
};

/*
 * Worker 0 of n_workers with `capacity` connections of each family (131072 over IPv6 at most) and
 * n_buckets (a power of two) buckets each.
 */
struct bed *bed_new(unsigned int n_workers, uint32_t capacity, uint32_t n_buckets);
void bed_free(struct bed *bed);

/* The same slot under a new process: private parts anew. */
void bed_attach(struct bed *bed);

/* The same slot under a new process after a death: private parts anew, then rebuilt. */
void bed_die_and_rebuild(struct bed *bed);

/*
 * Give the worker something to serve: 192.0.2.80:80 for TCP and UDP on port 0's link, `backends`
 * from 198.51.100.101 on behind local address 198.51.100.10 on port 1's, clients in
 * 10.0.0.0/8 by a gateway. Ports and pool are the caller's.
 */
void bed_serve(struct bed *bed, unsigned int backends);

/*
 * The same for clients and backends of these families. Over IPv6: 2001:db8:1::80, backends from
 * 2001:db8:2::65 on behind 2001:db8:2::a, clients in 2001:db8:f::/48.
 */
void bed_serve_families(struct bed *bed, unsigned int backends, bool clients6, bool backends6);

/* Let time pass: ticks, with the sweep and the timers run as the loop would. */
void bed_pass(struct bed *bed, uint32_t ticks);

/* Two ports; what their queues are given stands for their number, plus 1. */
void bed_ports(struct bed *b, eth_rx_burst_t receive, eth_tx_burst_t transmit);

#endif
