/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/fragment.h"

#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf_dyn.h>

#include <sluice/owner.h>

#include "secondary/burst.h"
#include "secondary/conn6.h"
#include "secondary/fragment_table.h"
#include "secondary/frame.h"
#include "secondary/frame6.h"
#include "secondary/l4.h"
#include "secondary/walk6.h"
#include "secondary/worker.h"

#define GO_ON    SL_DROP_MAX /* no reason to drop */
#define IPV4_MAX (UINT16_MAX - sizeof(struct rte_ipv4_hdr))

/* A fragment, of either family. */
struct fragment {
	struct fragment_key key;
	struct fragment_range range;
	bool more;
	unsigned int whose; /* who follows the datagram */
	bool ipv6;
	/* Of the first fragment, over IPv4 of any. */
	uint8_t proto;   /* the transport's ... */
	const char *l4;  /* ... header ... */
	uint32_t l4_len; /* ... and what there is of it and behind it */
};

/* ---- marks --------------------------------------------------------------------------------- */

static struct fragment_flow *mark_of(const struct worker *w, struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, w->slot->pool->flow_offset, struct fragment_flow *);
}

void fragment_mark(const struct worker *w, struct rte_mbuf *m, const struct fragment_flow *flow)
{
	m->ol_flags |= w->slot->pool->flow_flag;
	*mark_of(w, m) = *flow;
}

/* Takes the mark off. False: there is none. */
static bool unmark(const struct worker *w, struct rte_mbuf *m, struct fragment_flow *flow)
{
	uint64_t flag = w->slot->pool->flow_flag;

	if (!(m->ol_flags & flag))
		return false;
	m->ol_flags &= ~flag;
	*flow = *mark_of(w, m);
	return true;
}

void fragment_mark_again(const struct worker *w, const struct burst *b, unsigned int at)
{
	struct fragment_flow flow;
	struct sl_tuple6 k6;
	struct sl_tuple k;

	if (frame_is_ipv6(b->pkt[at])) {
		memcpy(&k6, b->key6[at], sizeof(k6));
		flow = (struct fragment_flow){k6.proto, k6.sport, k6.dport};
	} else {
		memcpy(&k, b->key[at], sizeof(k));
		flow = (struct fragment_flow){k.proto, k.sport, k.dport};
	}
	fragment_mark(w, b->pkt[at], &flow);
}

/* ---- whose it is, and which datagram's ----------------------------------------------------- */

/* The worker that follows the datagram is this one; or it has its verdict. */
static bool is_ours(const struct worker *w, struct burst *b, unsigned int at, unsigned int whose)
{
	if (likely(whose == w->id))
		return true;
	if (b->redirected)
		burst_drop(b, at, SL_DROP_REDIRECT_LOOP);
	else
		burst_verdict(b, at, VERDICT_REDIRECT, whose);
	return false;
}

/* The first fragment has the whole header. UDP's length is that of the whole datagram. */
static enum sl_drop_reason check_first(const struct fragment *f)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)f->l4;

	if (f->proto == IPPROTO_TCP)
		return f->l4_len >= sizeof(struct rte_tcp_hdr) &&
				       l4_check_tcp(f->l4, f->l4_len) == L4_GOOD
			       ? GO_ON
			       : SL_DROP_FRAGMENT_TINY;
	if (f->proto != IPPROTO_UDP)
		return SL_DROP_IP_FRAGMENT;
	if (f->l4_len < sizeof(*udp))
		return SL_DROP_FRAGMENT_TINY;
	if (f->ipv6 && !udp->dgram_cksum)
		return SL_DROP_L4_CHECKSUM; /* RFC 8200 section 8.1: it is not optional */
	return be16toh(udp->dgram_len) < f->l4_len ? SL_DROP_L4_HEADER_LENGTH : GO_ON;
}

static struct fragment_flow flow_of(const struct fragment *f)
{
	const struct rte_udp_hdr *ports = (const struct rte_udp_hdr *)f->l4;

	return (struct fragment_flow){
		.proto = f->proto, .sport = ports->src_port, .dport = ports->dst_port};
}

/* True: this worker follows the datagram, and the flow is *flow. False: it has its verdict. */
static bool follow(struct worker *w, struct burst *b, unsigned int at, const struct fragment *f,
		   struct fragment_flow *flow)
{
	struct fragment_datagram *d;
	enum sl_drop_reason why = GO_ON;

	if (!is_ours(w, b, at, f->whose))
		return false;
	if (!f->range.first)
		why = check_first(f);
	if (why == GO_ON)
		why = fragment_table_take(w, &f->key, f->range, f->more, &d);
	if (why != GO_ON) {
		burst_drop(b, at, why);
		return false;
	}
	w->stats->fragments_received++;
	if (!f->range.first) {
		*flow = flow_of(f);
		fragment_table_know(w, d, flow);
	} else if (d->state == FRAGMENT_WAITS) {
		fragment_table_wait(w, d, b->pkt[at]);
		burst_verdict(b, at, VERDICT_HELD, 0);
		return false;
	}
	*flow = d->flow;
	fragment_table_done(w, d);
	b->followed |= UINT32_C(1) << at;
	return true;
}

/* As follow(), of a fragment that may have been followed by another worker. */
static bool find_flow(struct worker *w, struct burst *b, unsigned int at, const struct fragment *f,
		      struct fragment_flow *flow)
{
	if (!unmark(w, b->pkt[at], flow) && !follow(w, b, at, f, flow))
		return false;
	b->fragments |= UINT32_C(1) << at;
	return true;
}

/* With its key: the first as other packets do, the others after them. */
static bool goes_on(struct burst *b, unsigned int at, const struct fragment *f)
{
	if (!f->range.first)
		return true;
	list_add(&b->later, at);
	return false;
}

/* ---- IPv4 ----------------------------------------------------------------------------------- */

static enum sl_drop_reason read4(const struct worker *w, const struct rte_ipv4_hdr *ip,
				 struct fragment *f)
{
	uint16_t word = be16toh(ip->fragment_offset);
	uint32_t first = (word & RTE_IPV4_HDR_OFFSET_MASK) * 8u;
	uint32_t len = be16toh(ip->total_length) - (uint32_t)sizeof(*ip);

	*f = (struct fragment){
		.key = {.source = sl_addr_of_v4(ip->src_addr),
			.destination = sl_addr_of_v4(ip->dst_addr),
			.id = ip->packet_id,
			.proto = ip->next_proto_id},
		.range = {(uint16_t)first, (uint16_t)(first + len)},
		.more = word & RTE_IPV4_HDR_MF_FLAG,
		.proto = ip->next_proto_id,
		.l4 = (const char *)(ip + 1),
		.l4_len = len,
		.whose = sl_owner_fragment(ip->src_addr, ip->dst_addr, ip->packet_id, w->root->seed,
					   w->n_workers),
	};
	if (!len || first + len > IPV4_MAX || (f->more && len % 8))
		return SL_DROP_FRAGMENT_MALFORMED;
	return f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP ? GO_ON : SL_DROP_IP_FRAGMENT;
}

static void take_key(struct worker *w, struct burst *b, unsigned int at,
		     const struct rte_ipv4_hdr *ip, const struct fragment_flow *flow)
{
	const struct sl_tuple k = {
		.proto = flow->proto,
		.saddr = ip->src_addr,
		.daddr = ip->dst_addr,
		.sport = flow->sport,
		.dport = flow->dport,
	};

	memcpy(b->key[at], &k, sizeof(k));
	b->hash[at] = conn_hash(&w->conns, b->key[at][0], b->key[at][1]);
	conn_prefetch_bucket(&w->conns, b->hash[at]);
}

bool fragment_input(struct worker *w, struct burst *b, unsigned int at)
{
	const struct rte_ipv4_hdr *ip = frame_ip(b->pkt[at]);
	struct fragment_flow flow;
	struct fragment f;
	enum sl_drop_reason why = read4(w, ip, &f);

	if (why != GO_ON) {
		burst_drop(b, at, why);
		return false;
	}
	if (!find_flow(w, b, at, &f, &flow))
		return false;
	take_key(w, b, at, ip, &flow);
	return goes_on(b, at, &f);
}

/* ---- IPv6 ----------------------------------------------------------------------------------- */

/* Leaves `walk` at the transport, of later fragments behind the fragment header. */
static enum sl_drop_reason read6(const struct worker *w, const char *frame, struct walk6 *walk,
				 struct fragment *f)
{
	const struct frame6_ip *ip = (const struct frame6_ip *)(frame + FRAME6_L3);
	const struct walk6_fragment *h = (const struct walk6_fragment *)(frame + walk->at);
	uint32_t first = be16toh(h->place) & WALK6_OFFSET_MASK;
	uint32_t len = walk->end - walk->at - (uint32_t)sizeof(*h);
	enum sl_drop_reason why = WALK6_DONE;

	*f = (struct fragment){
		.key = {.source = frame6_source(ip),
			.destination = frame6_destination(ip),
			.id = h->id},
		.range = {(uint16_t)first, (uint16_t)(first + len)},
		.more = h->place & RTE_BE16(WALK6_MORE),
		.ipv6 = true,
	};
	f->whose = sl_owner_fragment6(&f->key.source, &f->key.destination, h->id, w->root->seed,
				      w->n_workers);
	if (!len || first + len > UINT16_MAX || (f->more && len % 8))
		return SL_DROP_FRAGMENT_MALFORMED;
	walk->next = h->next;
	walk->at = (uint16_t)(walk->at + sizeof(*h));
	if (!first && walk6_is_extension(walk->next))
		why = walk6_extensions(walk, frame);
	if (why != WALK6_DONE)
		return why;
	f->proto = walk->next;
	f->l4 = frame + walk->at;
	f->l4_len = (uint32_t)walk->end - walk->at;
	return walk->at > UINT8_MAX ? SL_DROP_IP_EXTENSION : GO_ON; /* burst.l4 */
}

static void take_key6(struct worker *w, struct burst *b, unsigned int at, const struct fragment *f,
		      const struct fragment_flow *flow)
{
	const struct sl_tuple6 k = {
		.proto = flow->proto,
		.saddr = f->key.source,
		.daddr = f->key.destination,
		.sport = flow->sport,
		.dport = flow->dport,
	};

	conn6_words(&k, b->key6[at]);
	b->hash[at] = conn6_hash(&w->conns6, b->key6[at]);
	conn_prefetch_bucket(&w->conns6, b->hash[at]);
}

bool fragment6_input(struct worker *w, struct burst *b, unsigned int at, const struct walk6 *header)
{
	const char *frame = rte_pktmbuf_mtod(b->pkt[at], const char *);
	struct walk6 walk = *header;
	struct fragment_flow flow;
	struct fragment f;
	enum sl_drop_reason why = SL_DROP_OTHER_HOST; /* multicast: nothing there is balanced */

	if (rte_is_same_ether_addr(&frame_eth(b->pkt[at])->dst_addr,
				   &w->root->port[b->pkt[at]->port].mac))
		why = read6(w, frame, &walk, &f);
	if (why != GO_ON) {
		burst_drop(b, at, why);
		return false;
	}
	if (!find_flow(w, b, at, &f, &flow))
		return false;
	take_key6(w, b, at, &f, &flow);
	b->l4[at] = (uint8_t)walk.at;
	return goes_on(b, at, &f);
}
