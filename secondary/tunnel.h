/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tunnel prepends to a packet: either family inside either. */
#ifndef TUNNEL_H
#define TUNNEL_H

#include <stdint.h>

#include <sluice/conn.h>
#include <sluice/snapshot.h>
#include <sluice/tunnel.h>

struct rte_mbuf;
struct worker;

static inline unsigned int tunnel_overhead(const struct sl_conn_core *e,
					   const struct sl_addr *backend)
{
	return sl_tunnel_overheads[!sl_addr_is_v4(backend)][sl_conn_mode(e)];
}

/* A tunnel, and what of a packet is needed to put it in. */
struct tunnel {
	const struct sl_conn_core *conn;
	const struct sl_addr *from; /* of the backend's family */
	const struct sl_addr *to;   /* the backend */
	uint64_t hash; /* the flow's: it makes the source port of GUE, and flow labels */
	/*
	 * Where TCP or UDP (which, the connection's state says) begins: bytes from the frame's
	 * start. 0: something else is there.
	 */
	uint16_t l4;
};

/* Put the packet in a frame of `m` inside another. Returns the frame's new start. */
char *tunnel_encapsulate(struct worker *w, struct rte_mbuf *m, const struct tunnel *t);

#endif
