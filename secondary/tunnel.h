/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tunnel prepends to an IPv4 packet. */
#ifndef TUNNEL_H
#define TUNNEL_H

#include <stdint.h>

#include <sluice/conn.h>
#include <sluice/snapshot.h>

struct rte_mbuf;
struct worker;

/* Bytes by enum sl_mode; 0: no tunnel. */
extern const uint8_t tunnel_overhead[SL_MODE_MAX];

/*
 * Put the packet in a frame of `m` inside another, from `source` to the connection's backend.
 * `hash` is the flow's: of GUE it makes the source port. Returns the frame's new start.
 */
char *tunnel_encapsulate(struct worker *w, const struct sl_conn *e, struct rte_mbuf *m,
			 uint32_t source, uint64_t hash);

#endif
