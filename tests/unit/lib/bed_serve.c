/* SPDX-License-Identifier: BSD-3-Clause */
/* A snapshot made by hand, so that tests of the worker need no control daemon. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ring_elem.h>

#include <sluice/msg.h>
#include <sluice/virtual_server.h>

#include "tests/unit/lib/bed.h"

#define SNAPSHOT_BYTES 65536
#define NEIGHBOURS     255
#define OWN_PLACES     16

struct layout {
	struct sl_snapshot *s;
	uint32_t used;
	bool clients6, backends6; /* families */
};

/* Of either family, as text. */
static struct sl_addr address(const char *text)
{
	struct sl_addr a = {0};

	if (strchr(text, ':'))
		inet_pton(AF_INET6, text, &a);
	else
		a = sl_addr_of_v4(inet_addr(text));
	return a;
}

static void *take(struct layout *l, struct sl_span *span, uint32_t n, size_t size)
{
	span->offset = l->used;
	span->count = n;
	l->used += (uint32_t)((n * size + 63) & ~(size_t)63);
	if (l->used > SNAPSHOT_BYTES)
		abort();
	return (char *)l->s + span->offset;
}

static void add_own(struct sl_own_address *own, const char *text, uint32_t port_mask,
		    uint32_t flags)
{
	struct sl_addr addr = address(text);
	uint32_t i = sl_own_hash(sl_addr_fold(&addr)) & (OWN_PLACES - 1);

	while (own[i].flags)
		i = (i + 1) & (OWN_PLACES - 1);
	own[i] = (struct sl_own_address){.addr = addr, .port_mask = port_mask, .flags = flags};
}

static void add_backends(struct layout *l, unsigned int n)
{
	struct sl_backend *b = take(l, &l->s->backends, n, sizeof(*b));
	uint32_t *cycle = take(l, &l->s->cycles, n, sizeof(*cycle));
	uint32_t *place = take(l, &l->s->backend_places, n, sizeof(*place));
	struct sl_addr first = address(l->backends6 ? "2001:db8:2::65" : "198.51.100.101");

	for (uint32_t i = 0; i < n; i++) {
		b[i] = (struct sl_backend){
			.ref = SL_REF(i, 1), .addr = first, .port = htons(80), .weight = 1};
		b[i].addr.w[3] = htonl(ntohl(first.w[3]) + i);
		cycle[i] = place[i] = i;
	}
}

static void add_local_address(struct layout *l)
{
	struct sl_local_address *local = take(l, &l->s->local_addresses, 1, sizeof(*local));
	uint32_t *list = take(l, &l->s->local_lists, 1, sizeof(*list));

	*local = (struct sl_local_address){
		.ref = SL_REF(0, 1),
		.addr = address(l->backends6 ? "2001:db8:2::a" : "198.51.100.10")};
	*list = 0;
}

/* Where a server of this family finds the local address. */
static struct sl_span local_list(const struct layout *l)
{
	struct sl_span list = l->s->local_lists;

	if (l->clients6 && !l->backends6) /* IPv4's stand before */
		return (struct sl_span){list.offset + (uint32_t)sizeof(uint32_t), 0};
	return list;
}

static void add_servers(struct layout *l)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct sl_virtual_server *v = take(l, &l->s->virtual_servers, 2, sizeof(*v));
	uint32_t *hash = take(l, &l->s->virtual_hash, 4, sizeof(*hash));
	struct sl_addr vip = address(l->clients6 ? "2001:db8:1::80" : "192.0.2.80");

	take(l, &l->s->ranges_hash, 1, sizeof(struct sl_port_ranges));
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t at;

		v[i] = (struct sl_virtual_server){.ref = SL_REF(i, 1),
						  .addr = vip,
						  .port = htons(80),
						  .proto = protos[i],
						  .scheduler = SL_SCHED_RR,
						  .backends = l->s->backends,
						  .cycle = l->s->cycles,
						  .local = local_list(l),
						  .n_local_v4 = l->clients6 && !l->backends6};
		at = sl_virtual_hash(sl_addr_fold(&vip), v[i].port, v[i].proto) & 3;
		while (hash[at])
			at = (at + 1) & 3;
		hash[at] = i + 1;
	}
}

/* Hops of a family: to port 0's link, to port 1's, and by a gateway on port 0's. */
static void set_hops(struct sl_next_hop *hop, const char *wan, const char *lan, const char *gateway)
{
	hop[0] = (struct sl_next_hop){.source = address(wan), .port = 0, .mtu = 1500};
	hop[1] = (struct sl_next_hop){.source = address(lan), .port = 1, .mtu = 1500};
	hop[2] = hop[0];
	hop[2].gateway = address(gateway);
}

static void add_routes6(struct layout *l, uint32_t first_hop)
{
	static const struct {
		uint64_t start; /* upper half */
		uint32_t hop;
	} ranges[] = {{0, SL_NO_ROUTE},        {0x20010db800010000, 0},
		      {0x20010db800020000, 1}, {0x20010db800030000, SL_NO_ROUTE},
		      {0x20010db8000f0000, 2}, {0x20010db800100000, SL_NO_ROUTE}};
	const uint32_t n = sizeof(ranges) / sizeof(ranges[0]);
	struct sl_route6_start *start = take(l, &l->s->route6_start, n, sizeof(*start));
	uint32_t *to = take(l, &l->s->route6_hop, n, sizeof(*to));

	for (uint32_t i = 0; i < n; i++) {
		start[i] = (struct sl_route6_start){.high = ranges[i].start};
		to[i] = ranges[i].hop == SL_NO_ROUTE ? SL_NO_ROUTE : first_hop + ranges[i].hop;
	}
}

static void add_routes(struct layout *l)
{
	static const struct {
		const char *start;
		uint32_t hop;
	} ranges[] = {{"0.0.0.0", SL_NO_ROUTE},     {"10.0.0.0", 2},
		      {"11.0.0.0", SL_NO_ROUTE},    {"192.0.2.0", 0},
		      {"192.0.3.0", SL_NO_ROUTE},   {"198.51.100.0", 1},
		      {"198.51.101.0", SL_NO_ROUTE}};
	struct sl_next_hop *hop = take(l, &l->s->next_hops, 6, sizeof(*hop));
	uint32_t *start = take(l, &l->s->route_start, 7, sizeof(*start));
	uint32_t *to = take(l, &l->s->route_hop, 7, sizeof(*to));

	set_hops(hop, "192.0.2.1", "198.51.100.1", "192.0.2.254");
	set_hops(hop + 3, "2001:db8:1::1", "2001:db8:2::1", "2001:db8:1::fe");
	add_routes6(l, 3);
	for (int i = 0; i < 7; i++) {
		start[i] = ntohl(inet_addr(ranges[i].start));
		to[i] = ranges[i].hop;
	}
}

static struct rte_ring *new_ring(unsigned int elem_size)
{
	struct rte_ring *r =
		aligned_alloc(64, (size_t)rte_ring_get_memsize_elem(elem_size, SL_COMMAND_RING));

	if (!r || rte_ring_init(r, "bed", SL_COMMAND_RING, RING_F_SP_ENQ | RING_F_SC_DEQ))
		abort();
	return r;
}

void bed_serve_families(struct bed *b, unsigned int backends, bool clients6, bool backends6)
{
	struct layout l = {.s = aligned_alloc(64, SNAPSHOT_BYTES),
			   .clients6 = clients6,
			   .backends6 = backends6};
	struct sl_own_address *own;

	if (!l.s)
		abort();
	memset(l.s, 0, SNAPSHOT_BYTES);
	memcpy(l.s->timeout, b->snapshot.timeout, sizeof(l.s->timeout));
	l.s->magic = SL_SNAPSHOT_MAGIC;
	l.used = (sizeof(*l.s) + 63) & ~63u;
	add_backends(&l, backends);
	add_local_address(&l);
	add_servers(&l);
	add_routes(&l);
	own = take(&l, &l.s->own_hash, OWN_PLACES, sizeof(*own));
	add_own(own, "192.0.2.1", 1, SL_OWN_INTERFACE);
	add_own(own, "198.51.100.1", 2, SL_OWN_INTERFACE);
	add_own(own, "192.0.2.80", 1, SL_OWN_VIRTUAL);
	add_own(own, "198.51.100.10", 2, SL_OWN_LOCAL);
	add_own(own, "2001:db8:1::1", 1, SL_OWN_INTERFACE);
	add_own(own, "2001:db8:2::1", 2, SL_OWN_INTERFACE);
	add_own(own, "2001:db8:1::80", 1, SL_OWN_VIRTUAL);
	add_own(own, "2001:db8:2::a", 2, SL_OWN_LOCAL);
	l.s->size = l.used;
	b->served = l.s;
	b->worker.snapshot = l.s;
	b->slot.command = new_ring(sizeof(struct sl_command));
	b->slot.answer = new_ring(sizeof(struct sl_answer));
	b->root.max_neighbours = NEIGHBOURS;
	b->slot.neighbour_bytes =
		(NEIGHBOURS + 1) * (sizeof(struct neigh) + sizeof(struct neigh_waiting));
	b->slot.neighbours = aligned_alloc(64, b->slot.neighbour_bytes);
	if (!b->slot.neighbours)
		abort();
	memset(b->slot.neighbours, 0, b->slot.neighbour_bytes);
	if (neigh_prepare(&b->worker))
		abort();
	neigh_attach(&b->worker);
}

void bed_serve(struct bed *b, unsigned int backends)
{
	bed_serve_families(b, backends, false, false);
}
