/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lengths of TCP and UDP headers, for the parsers of both families: a header's own length, which is
 * no less than the smallest, and l4_len bytes of packet. Of a packet that ends before, what a
 * buffer holds behind it is read: so one comparison does for both. That is for headers right behind
 * an IP header without options, within the first L4_READABLE bytes of a frame; elsewhere the caller
 * makes sure that the smallest header is there.
 */
#ifndef L4_H
#define L4_H

#include <endian.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <sluice/drop.h>

#define L4_GOOD SL_DROP_MAX /* no reason to drop */

/* Every buffer has them: Ethernet, IPv6, and TCP without options. */
#define L4_READABLE (14 + 40 + sizeof(struct rte_tcp_hdr))

static inline enum sl_drop_reason l4_check_tcp(const char *l4, uint32_t l4_len)
{
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)l4;
	uint32_t header = (tcp->data_off & 0xf0u) / 4;

	if (unlikely(header < sizeof(*tcp) || header > l4_len))
		return l4_len < sizeof(*tcp) ? SL_DROP_L4_SHORT : SL_DROP_L4_HEADER_LENGTH;
	return L4_GOOD;
}

static inline enum sl_drop_reason l4_check_udp(const char *l4, uint32_t l4_len)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)l4;
	uint32_t len = be16toh(udp->dgram_len);

	if (unlikely(len < sizeof(*udp) || len > l4_len))
		return l4_len < sizeof(*udp) ? SL_DROP_L4_SHORT : SL_DROP_L4_HEADER_LENGTH;
	return L4_GOOD;
}

#endif
