/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What tunnels to backends take of a packet's room. Workers tell clients what is left; ctrl refuses
 * a tunnel that leaves a packet of IPv6 less than every link has to carry (RFC 8200 section 5).
 */
#ifndef SL_TUNNEL_H
#define SL_TUNNEL_H

#include <stdint.h>

#include <sluice/snapshot.h>

#define SL_IPV6_MTU_MIN 1280 /* of every link, RFC 8200 section 5 */

#define SL_TUNNEL_GRE   4  /* RFC 2784 section 2.1, without optional fields */
#define SL_TUNNEL_GUE   12 /* UDP, and variant 0 without optional fields */

#define SL_TUNNEL_OVERHEADS(ip)                                              \
	{                                                                    \
		[SL_MODE_IPIP] = (ip), [SL_MODE_GRE] = (ip) + SL_TUNNEL_GRE, \
		[SL_MODE_GUE] = (ip) + SL_TUNNEL_GUE,                        \
	}

/* Bytes before the packet, by whether it leads over IPv6 and enum sl_mode; 0: no tunnel. */
static const uint8_t sl_tunnel_overheads[2][SL_MODE_MAX]
	__attribute__((unused)) = {SL_TUNNEL_OVERHEADS(20), SL_TUNNEL_OVERHEADS(40)};

#endif
