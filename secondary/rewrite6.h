/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rewrite over IPv6: a packet of direction d leaves with the tuple of the other direction
 * reversed and its hop limit less one. There is no header checksum; the transport's, which covers
 * the addresses, moves by the entry's difference (RFC 1624).
 */
#ifndef REWRITE6_H
#define REWRITE6_H

#include <string.h>

#include <rte_tcp.h>
#include <rte_udp.h>

#include <sluice/conn.h>
#include <sluice/csum.h>

#include "secondary/frame6.h"

static inline void rewrite6_l4(char *l4, const struct sl_conn6 *e, unsigned int dir)
{
	const struct sl_tuple6 *other = &e->key[!dir];
	uint16_t delta = e->core.l4_delta[dir];
	uint32_t ports;

	memcpy(&ports, &other->sport, sizeof(ports));
	ports = ports << 16 | ports >> 16; /* source and destination change places */
	memcpy(l4, &ports, sizeof(ports));
	if (e->core.state == SL_CONN_UDP) {
		struct rte_udp_hdr *h = (struct rte_udp_hdr *)l4;
		uint16_t csum = sl_csum_apply(h->dgram_cksum, delta);

		h->dgram_cksum = csum ? csum : 0xffff;
	} else {
		struct rte_tcp_hdr *h = (struct rte_tcp_hdr *)l4;

		h->cksum = sl_csum_apply(h->cksum, delta);
	}
}

static inline void rewrite6_ip(char *frame, const struct sl_conn6 *e, unsigned int dir)
{
	struct frame6_ip *ip = (struct frame6_ip *)(frame + FRAME6_L3);

	ip->hops--;
	memcpy((char *)ip + 8, &e->key[!dir].daddr, sizeof(struct sl_addr));
	memcpy((char *)ip + 24, &e->key[!dir].saddr, sizeof(struct sl_addr));
}

static inline void rewrite6_packet(char *frame, char *l4, const struct sl_conn6 *e,
				   unsigned int dir)
{
	rewrite6_ip(frame, e, dir);
	rewrite6_l4(l4, e, dir);
}

#endif
