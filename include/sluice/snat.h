/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SNAT policies of a snapshot: what becomes of a packet whose destination is not ours and that has
 * no connection. The first that matches serves it, as a virtual server serves a client: its only
 * backend is wherever the packet goes. So a policy has an id of a virtual server's and one of a
 * backend's, and counters, limits, claims and checkpoints know of no third thing.
 */
#ifndef SL_SNAT_H
#define SL_SNAT_H

#include <sluice/snapshot.h>

#define SL_SNAT_POLICIES 256  /* in a snapshot; */
#define SL_SNAT_PREFIXES 1024 /* theirs: what a packet that no policy wants costs at most */

struct sl_prefix {
	struct sl_addr addr; /* without host bits */
	struct sl_addr mask;
};

/* Writer: ctrl. They stand in the order in which they are asked. */
struct sl_snat_policy {
	struct sl_span sources;      /* struct sl_prefix */
	struct sl_span destinations; /* struct sl_prefix; none: any */
	uint32_t port_mask;          /* ports by which a packet may come in */
	uint8_t proto;               /* IPPROTO_*, of a tuple; 0: any */
	uint8_t reserved[3];
	/* Reference, limit, local addresses: as over IPv6, with IPv4's before them. */
	struct sl_virtual_server server;
	struct sl_backend outside; /* reference and mode; the packet says where it is */
};

/* What policies are matched with. */
struct sl_snat_flow {
	struct sl_addr source, destination;
	uint8_t proto; /* as in a tuple: IPPROTO_ICMP over IPv6, too */
	uint8_t port;  /* that it came in by */
};

/* Neither family is inside a prefix of the other's. */
static inline bool sl_prefix_has(const struct sl_prefix *p, const struct sl_addr *a)
{
	uint32_t differs = sl_addr_is_v4(a) != sl_addr_is_v4(&p->addr);

	for (int i = 0; i < 4; i++)
		differs |= (a->w[i] ^ p->addr.w[i]) & p->mask.w[i];
	return !differs;
}

static inline bool sl_prefixes_have(const struct sl_snapshot *s, struct sl_span prefixes,
				    const struct sl_addr *a)
{
	const struct sl_prefix *p = sl_snapshot_at(s, prefixes);

	for (uint32_t i = 0; i < prefixes.count; i++)
		if (sl_prefix_has(&p[i], a))
			return true;
	return false;
}

/* NULL: none wants it. */
static inline const struct sl_snat_policy *sl_snat_find(const struct sl_snapshot *s,
							const struct sl_snat_flow *f)
{
	const struct sl_snat_policy *p = sl_snapshot_at(s, s->snat_policies);
	const struct sl_snat_policy *end = p + s->snat_policies.count;

	for (; p < end; p++)
		if ((!p->proto || p->proto == f->proto) && p->port_mask & UINT32_C(1) << f->port &&
		    sl_prefixes_have(s, p->sources, &f->source) &&
		    (!p->destinations.count ||
		     sl_prefixes_have(s, p->destinations, &f->destination)))
			return p;
	return NULL;
}

#endif
