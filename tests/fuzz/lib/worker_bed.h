/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Worker 0 of 2 without devices: two ports and worker 1 are played. Received buffers are poisoned
 * behind the frame, so that ASan sees who reads over its end (the first 64 bytes of a buffer may
 * always be read: secondary/parse.c).
 */
#ifndef TESTS_FUZZ_WORKER_BED_H
#define TESTS_FUZZ_WORKER_BED_H

#include <stdbool.h>

#include <rte_mbuf.h>

#include "tests/unit/lib/bed.h"

#define FUZZ_BUFFERS   127 /* of each of the two pools */
#define FUZZ_FRAME_MAX 1600

/* Once: EAL and the pools. */
void fuzz_bed_init(int *argc, char ***argv);

/* A fresh worker, serving (bed_serve) with backends of all modes. */
struct bed *fuzz_bed_new(void);

/* Frees it. Every buffer must have come home. */
void fuzz_bed_free(struct bed *bed);

/* A buffer with a frame, of worker 0's pool or worker 1's; NULL when all are in use. */
struct rte_mbuf *fuzz_bed_frame(unsigned int pool, const void *bytes, size_t len);

/* Worker 1 lends a frame to worker 0, tells it of a neighbour. */
void fuzz_bed_lend(struct bed *bed, struct rte_mbuf *m);
struct sl_neighbour_event;
void fuzz_bed_tell(struct bed *bed, const struct sl_neighbour_event *event);

/* Worker 1 takes what is for it, frees it, and collects its own. */
void fuzz_bed_peer_turn(struct bed *bed);

/* What stands for the devices: as rte_eth_rx_burst and rte_eth_tx_burst. */
struct fuzz_ports {
	uint16_t (*receive)(unsigned int port, struct rte_mbuf **m, uint16_t n);
	uint16_t (*send)(unsigned int port, struct rte_mbuf **m, uint16_t n);
};
extern struct fuzz_ports fuzz_ports;

#endif
