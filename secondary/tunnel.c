/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The outer header is a host's: its own TTL and id; DF and the TOS byte are the inner one's (RFC
 * 2003 section 3.1, ECN in RFC 6040 normal mode). GRE has no optional field (RFC 2784
 * section 2); GUE is variant 0 without any, its UDP checksum is absent (RFC 768), and the
 * source port tells flows apart for whoever spreads them on the way (draft-ietf-intarea-gue
 * section 5.11).
 */
#include "secondary/tunnel.h"

#include <assert.h>
#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "secondary/frame.h"
#include "secondary/worker.h"

#define OUTER_TTL      64
#define GUE_PORT_FIRST 0xc000 /* of the dynamic ports, RFC 6335 */

struct gre {
	rte_be16_t flags;
	rte_be16_t ethertype;
};

struct gue {
	struct rte_udp_hdr udp;
	uint8_t version;  /* variant, control bit, length of optional fields */
	uint8_t protocol; /* of what follows */
	rte_be16_t flags;
};

const uint8_t tunnel_overhead[SL_MODE_MAX] = {
	[SL_MODE_IPIP] = sizeof(struct rte_ipv4_hdr),
	[SL_MODE_GRE] = sizeof(struct rte_ipv4_hdr) + sizeof(struct gre),
	[SL_MODE_GUE] = sizeof(struct rte_ipv4_hdr) + sizeof(struct gue),
};
static_assert(sizeof(struct gre) == 4 && sizeof(struct gue) == 12, "as on the wire");

static void put_gre(void *at)
{
	*(struct gre *)at = (struct gre){.ethertype = RTE_BE16(RTE_ETHER_TYPE_IPV4)};
}

static void put_gue(void *at, const struct sl_conn *e, uint16_t inner, uint64_t hash)
{
	uint16_t source = (uint16_t)(GUE_PORT_FIRST | (hash & (UINT16_MAX ^ GUE_PORT_FIRST)));

	*(struct gue *)at = (struct gue){
		.udp = {.src_port = rte_cpu_to_be_16(source),
			.dst_port = e->key[SL_DIR_OUT].dport,
			.dgram_len = rte_cpu_to_be_16(inner + sizeof(struct gue))},
		.protocol = IPPROTO_IPIP,
	};
}

char *tunnel_encapsulate(struct worker *w, const struct sl_conn *e, struct rte_mbuf *m,
			 uint32_t source, uint64_t hash)
{
	unsigned int mode = e->core.flags & SL_CONN_MODE_MASK;
	const struct rte_ipv4_hdr *inner = frame_ip(m);
	uint16_t len = rte_be_to_cpu_16(inner->total_length);
	char *frame = rte_pktmbuf_prepend(m, tunnel_overhead[mode]);
	struct rte_ipv4_hdr *outer = (struct rte_ipv4_hdr *)(frame + FRAME_L3);

	*outer = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = inner->type_of_service,
		.total_length = rte_cpu_to_be_16(len + tunnel_overhead[mode]),
		.packet_id = rte_cpu_to_be_16(w->ip_id++),
		.fragment_offset = inner->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = OUTER_TTL,
		.src_addr = source,
		.dst_addr = e->key[SL_DIR_OUT].saddr,
	};
	if (mode == SL_MODE_IPIP) {
		outer->next_proto_id = IPPROTO_IPIP;
	} else if (mode == SL_MODE_GRE) {
		outer->next_proto_id = IPPROTO_GRE;
		put_gre(outer + 1);
	} else {
		outer->next_proto_id = IPPROTO_UDP;
		put_gue(outer + 1, e, len, hash);
	}
	outer->hdr_checksum = (uint16_t)~frame_ip_sum(outer);
	return frame;
}
