/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots: what they find, against what a naive reading of the configuration finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sluice/virtual_server.h>

#include "ctrl/address.h"
#include "ctrl/compile.h"
#include "ctrl/cycle.h"
#include "tests/unit/lib/ctrl_bed.h"

static struct sl_root *root;
static struct model *model;
static struct sl_snapshot *snapshot;
static struct problem why;

static int set_up(void **state)
{
	(void)state;
	root = bed_root_new();
	model = model_new(root);
	snapshot = root->arena.half[0];
	srandom(42);
	return model ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	model_free(model);
	bed_root_free(root);
	bed_json_free();
	return 0;
}

static void apply(const char *json)
{
	if (bed_config(model, json, snapshot, &why))
		fail_msg("%s", why.text);
}

static uint32_t addr(const char *text)
{
	return inet_addr(text);
}

static void the_sample(void **state)
{
	const struct sl_virtual_server *v;
	const struct sl_backend *b;
	const struct sl_local_address *l;
	const uint32_t *cycle, *list;

	(void)state;
	apply(bed_good);
	assert_int_equal(snapshot->magic, SL_SNAPSHOT_MAGIC);
	assert_int_equal(snapshot->revision, 1);
	v = sl_virtual_server_find(snapshot, addr("192.0.2.80"), htons(80), IPPROTO_TCP);
	assert_non_null(v);
	assert_string_equal(model_name(model, IDS_VIRTUAL_SERVER, v->ref), "web");
	assert_int_equal(v->scheduler, SL_SCHED_WRR);
	assert_null(sl_virtual_server_find(snapshot, addr("192.0.2.80"), htons(80), IPPROTO_UDP));
	assert_null(sl_virtual_server_find(snapshot, addr("192.0.2.80"), htons(81), IPPROTO_TCP));
	/* Weights 2 and 1 at (2k+1)/2w: web-1 at 1/4 and 3/4, web-2 at 1/2. */
	assert_int_equal(v->cycle.count, 3);
	cycle = sl_snapshot_at(snapshot, v->cycle);
	b = sl_snapshot_at(snapshot, snapshot->backends);
	assert_int_equal(sl_addr_v4(&b[cycle[0]].addr), addr("198.51.100.101"));
	assert_int_equal(sl_addr_v4(&b[cycle[1]].addr), addr("198.51.100.102"));
	assert_int_equal(sl_addr_v4(&b[cycle[2]].addr), addr("198.51.100.101"));
	assert_int_equal(b[cycle[1]].port, htons(80));
	assert_int_equal(v->local.count, 2);
	list = sl_snapshot_at(snapshot, v->local);
	l = sl_snapshot_at(snapshot, snapshot->local_addresses);
	assert_int_equal(sl_addr_v4(&l[list[0]].addr), addr("198.51.100.10"));
	assert_int_equal(sl_addr_v4(&l[list[1]].addr), addr("198.51.100.11"));
	assert_int_not_equal(l[0].ref, l[1].ref);
}

static struct sl_addr addr6(const char *text)
{
	struct sl_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

/* A server over IPv6 has the local addresses of either family, each list whole. */
static void locals_of_both_families(void **state)
{
	const struct sl_addr server = addr6("2001:db8:1::80"), six = addr6("2001:db8:2::a");
	const struct sl_virtual_server *v;
	const struct sl_local_address *l;
	const uint32_t *list;

	(void)state;
	apply("{'interfaces': [{'name': 'wan', 'addresses': ['192.0.2.1/24', '2001:db8:1::1/64']},"
	      " {'name': 'lan', 'addresses': ['198.51.100.1/24', '2001:db8:2::1/64']}],"
	      "'localAddressPools': [{'name': 'a', 'addresses': ['198.51.100.9']},"
	      " {'name': 'l', 'addresses':"
	      "  ['198.51.100.10', '2001:db8:2::a', '198.51.100.11']}],"
	      "'backendPools': [{'name': 'p', 'backends': ["
	      " {'name': 'b', 'address': '198.51.100.101', 'port': 80}]}],"
	      "'virtualServers': [{'name': 'v', 'address': '2001:db8:1::80', 'port': 80,"
	      " 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'l'}]}");
	v = sl_virtual_server_find_addr(snapshot, &server, htons(80), IPPROTO_TCP);
	assert_non_null(v);
	l = sl_snapshot_at(snapshot, snapshot->local_addresses);
	list = sl_snapshot_at(snapshot, v->local);
	assert_int_equal(v->local.count, 1);
	assert_memory_equal(&l[list[0]].addr, &six, sizeof(six));
	list = sl_snapshot_at(snapshot, sl_local_v4(v));
	assert_int_equal(sl_local_v4(v).count, 2);
	assert_int_equal(sl_addr_v4(&l[list[0]].addr), addr("198.51.100.10"));
	assert_int_equal(sl_addr_v4(&l[list[1]].addr), addr("198.51.100.11"));
}

static void own(const char *text, uint32_t flags, uint32_t ports)
{
	const struct sl_own_address *o = sl_own_address_find(snapshot, addr(text));

	assert_non_null(o);
	assert_int_equal(o->flags, flags);
	assert_int_equal(o->port_mask, ports);
}

static void own_addresses(void **state)
{
	(void)state;
	apply("{'interfaces': [{'name': 'wan', 'addresses': ['192.0.2.1/24']},"
	      " {'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
	      "'localAddressPools': [{'name': 'l', 'addresses': ['198.51.100.10', '10.9.9.9']}],"
	      "'backendPools': [{'name': 'p'}],"
	      "'virtualServers': ["
	      " {'name': 'a', 'address': '192.0.2.1', 'port': 80, 'protocol': 'tcp',"
	      "  'backendPool': 'p', 'localAddressPool': 'l'},"
	      " {'name': 'b', 'address': '203.0.113.1', 'port': 80, 'protocol': 'tcp',"
	      "  'backendPool': 'p', 'localAddressPool': 'l'}]}");
	own("192.0.2.1", SL_OWN_INTERFACE | SL_OWN_VIRTUAL, 1);
	own("198.51.100.1", SL_OWN_INTERFACE, 2);
	own("198.51.100.10", SL_OWN_LOCAL, 2);
	own("10.9.9.9", SL_OWN_LOCAL, 3); /* on no link: every port */
	own("203.0.113.1", SL_OWN_VIRTUAL, 3);
	assert_null(sl_own_address_find(snapshot, addr("192.0.2.2")));
	/* A pool without backends has an empty cycle. */
	assert_int_equal(sl_virtual_server_find(snapshot, addr("192.0.2.1"), htons(80), IPPROTO_TCP)
				 ->cycle.count,
			 0);
}

static void nothing_configured(void **state)
{
	(void)state;
	apply("{}");
	assert_null(sl_virtual_server_find(snapshot, addr("192.0.2.1"), htons(80), IPPROTO_TCP));
	assert_null(sl_own_address_find(snapshot, addr("192.0.2.1")));
	assert_null(sl_route_find(snapshot, addr("192.0.2.1")));
	assert_null(sl_route_find(snapshot, 0));
	assert_null(sl_route_find(snapshot, UINT32_MAX));
}

static void timeouts(void **state)
{
	(void)state;
	apply("{'timeouts': {'udp': 7}}");
	assert_int_equal(snapshot->timeout[SL_CONN_UDP], 7 * SL_TICK_HZ);
	assert_int_equal(snapshot->timeout[SL_CONN_ESTABLISHED], 900 * SL_TICK_HZ);
	assert_int_equal(snapshot->timeout[SL_CONN_NONE], 1 * SL_TICK_HZ);
}

/* ---- routes ---- */

#define ROUTES 200

struct naive {
	struct resource_prefix prefix;
	struct sl_addr gateway;
	bool blackhole;
};

static const struct naive *naive_find(const struct naive *all, size_t n, const struct sl_addr *to)
{
	const struct naive *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (address_in(&all[i].prefix, to) &&
		    (!best || all[i].prefix.length > best->prefix.length))
			best = &all[i];
	return best;
}

static void compare_route(const struct naive *all, size_t n, const struct sl_addr *to)
{
	const struct naive *expected = naive_find(all, n, to);
	const struct sl_next_hop *hop = sl_route_find_addr(snapshot, to);
	char text[ADDRESS_TEXT_SIZE];

	if (!expected != !hop)
		fail_msg("%s: %s", address_text(to, text), hop ? "has a route" : "has none");
	if (!hop)
		return;
	assert_true(sl_addr_equal(&hop->gateway, &expected->gateway));
	assert_int_equal(!!(hop->flags & SL_ROUTE_BLACKHOLE), expected->blackhole);
}

/* Few different bits, so that prefixes are often inside one another. */
static struct sl_addr random_address(bool ipv6)
{
	struct sl_addr a;

	if (!ipv6)
		return sl_addr_of_v4(htonl((uint32_t)random() & 0xc1804181u));
	a.w[0] = htonl(0x20000000u | ((uint32_t)random() & 0x01800081u));
	for (int i = 1; i < 4; i++)
		a.w[i] = htonl((uint32_t)random() & 0x80018001u);
	return a;
}

static struct naive random_route(bool ipv6, bool everything)
{
	unsigned int bits = ipv6 ? 128 : 32;
	struct naive r = {.prefix.addr = random_address(ipv6)};
	char text[ADDRESS_TEXT_SIZE];

	r.prefix.length = everything ? 0 : (uint8_t)(random() % (bits + 1));
	r.prefix.length += 128 - bits;
	r.prefix.addr = address_network(&r.prefix);
	r.blackhole = random() % 5 == 0;
	if (r.blackhole)
		return r;
	snprintf(text, sizeof(text), ipv6 ? "2001:db8:1::%lx" : "192.0.2.%ld", 2 + random() % 200);
	assert_null(address_parse_host(text, &r.gateway));
	return r;
}

/* The address that is `by` (1 or -1) further. */
static struct sl_addr next_to(struct sl_addr a, int by)
{
	for (int i = 4; i-- > 0;) {
		a.w[i] = htonl(ntohl(a.w[i]) + (uint32_t)by);
		if (a.w[i] != (by > 0 ? 0 : UINT32_MAX))
			break;
	}
	return a;
}

static struct sl_addr last_of(const struct resource_prefix *p)
{
	struct sl_addr last = p->addr;

	for (int i = 0; i < 128; i++)
		if (i >= p->length)
			last.w[i / 32] |= htonl(UINT32_C(1) << (31 - i % 32));
	return last;
}

/* Places around a prefix; of the other family is nothing to be found. */
static void compare_around(const struct naive *all, size_t n, const struct resource_prefix *p)
{
	struct resource_prefix bare = {address_network(p), p->length};
	struct sl_addr around[4] = {bare.addr, next_to(bare.addr, -1), last_of(&bare)};

	around[3] = next_to(around[2], 1);
	for (int i = 0; i < 4; i++)
		if (sl_addr_is_v4(&around[i]) == sl_addr_is_v4(&p->addr))
			compare_route(all, n, &around[i]);
}

/* Random prefixes that nest, touch and repeat, and every place where something changes. */
static void longest_prefix(void **state)
{
	struct naive all[2 * ROUTES + 4] = {0};
	static const char *const links[] = {"192.0.2.1/24", "198.51.100.1/24", "2001:db8:1::1/64",
					    "2001:db8:2::1/64"};
	char *json = malloc(1 << 20), text[ADDRESS_TEXT_SIZE], gateway[ADDRESS_TEXT_SIZE];
	size_t n = 0, at;

	(void)state;
	for (; n < 4; n++)
		assert_null(address_parse_interface(links[n], &all[n].prefix));
	at = (size_t)snprintf(json, 1 << 20,
			      "{'interfaces': [{'name': 'wan', 'addresses': ['%s', '%s']},"
			      "{'name': 'lan', 'addresses': ['%s', '%s']}], 'routes': [",
			      links[0], links[2], links[1], links[3]);
	for (int i = 0; i < 2 * ROUTES; i++) {
		struct naive r = random_route(i & 1, i < 2);
		bool twice = false;

		for (size_t k = 0; k < n; k++) {
			struct sl_addr network = address_network(&all[k].prefix);

			twice |= sl_addr_equal(&network, &r.prefix.addr) &&
				 all[k].prefix.length == r.prefix.length;
		}
		if (twice)
			continue;
		at += (size_t)snprintf(json + at, (1 << 20) - at,
				       "%s{'name': 'r%d', 'prefix': '%s/%u', %s%s%s}",
				       n == 4 ? "" : ",", i, address_text(&r.prefix.addr, text),
				       address_length(&r.prefix),
				       r.blackhole ? "'blackhole': true" : "'gateway': '",
				       r.blackhole ? "" : address_text(&r.gateway, gateway),
				       r.blackhole ? "" : "'");
		all[n++] = r;
	}
	snprintf(json + at, (1 << 20) - at, "]}");
	apply(json);
	free(json);
	assert_true(n > 120);
	for (size_t i = 0; i < n; i++)
		compare_around(all, n, &all[i].prefix);
	for (int i = 0; i < 100000; i++) {
		struct sl_addr to = random_address(i & 1);

		to.w[3] ^= (uint32_t)random() & (uint32_t)random();
		compare_route(all, n, &to);
	}
}

static void next_hops(void **state)
{
	const struct sl_next_hop *hop;

	(void)state;
	apply("{'interfaces': [{'name': 'wan', 'addresses': ['192.0.2.1/24', '192.0.2.5/24']},"
	      "{'name': 'lan', 'addresses': ['198.51.100.1/24']}], 'routes': ["
	      "{'name': 'a', 'prefix': '0.0.0.0/0', 'gateway': '192.0.2.254'},"
	      "{'name': 'b', 'prefix': '10.0.0.0/8', 'interface': 'lan'}]}");
	hop = sl_route_find(snapshot, addr("198.51.100.77"));
	assert_true(sl_addr_is_none(&hop->gateway));
	assert_int_equal(sl_addr_v4(&hop->source), addr("198.51.100.1"));
	assert_int_equal(hop->port, 1);
	assert_int_equal(hop->mtu, 9000);
	hop = sl_route_find(snapshot, addr("8.8.8.8"));
	assert_int_equal(sl_addr_v4(&hop->gateway), addr("192.0.2.254"));
	assert_int_equal(sl_addr_v4(&hop->source), addr("192.0.2.1")); /* the first of the link's */
	assert_int_equal(hop->port, 0);
	assert_int_equal(hop->mtu, 1500);
	hop = sl_route_find(snapshot, addr("10.1.2.3"));
	assert_true(sl_addr_is_none(&hop->gateway));
	assert_int_equal(sl_addr_v4(&hop->source), addr("198.51.100.1"));
	assert_int_equal(hop->port, 1);
}

/* ---- cycles ---- */

/* Exact over a cycle, and no prefix of it is a whole pick of any backend away from its share. */
static void check_cycle(const uint16_t *weight, uint32_t n)
{
	uint16_t share[8];
	uint64_t length, sum = 0;
	uint32_t *cycle, *seen = calloc(n, sizeof(*seen));

	cycle_shares(SL_SCHED_WRR, weight, n, share);
	length = cycle_length(share, n);
	cycle = calloc(length + 1, sizeof(*cycle));
	for (uint32_t i = 0; i < n; i++)
		sum += weight[i];
	assert_int_equal(cycle_make(share, n, cycle), 0);
	for (uint64_t k = 0; k < length; k++) {
		assert_in_range(cycle[k], 0, n - 1);
		seen[cycle[k]]++;
		for (uint32_t i = 0; i < n; i++) {
			double share = (double)(k + 1) * weight[i] / (double)sum;
			double away = seen[i] - share;

			if (away > n || away < -(double)n)
				fail_msg("backend %u is %f picks away after %llu", i, away,
					 (unsigned long long)k + 1);
		}
	}
	for (uint32_t i = 0; i < n; i++)
		assert_true((uint64_t)seen[i] * sum == (uint64_t)weight[i] * length);
	free(seen);
	free(cycle);
}

static uint64_t wrr_length(const uint16_t weight[4])
{
	uint16_t share[4];

	cycle_shares(SL_SCHED_WRR, weight, 4, share);
	return cycle_length(share, 4);
}

static void wrr_is_exact(void **state)
{
	static const uint16_t some[][4] = {
		{1, 1, 1, 1},     {5, 1, 1, 0},  {10, 20, 30, 40}, {7, 0, 0, 0},
		{65535, 1, 0, 0}, {3, 5, 7, 11}, {0, 0, 0, 0},     {60000, 30000, 30000, 60000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		check_cycle(some[i], 4);
	assert_int_equal(wrr_length(some[2]), 10);
	assert_int_equal(wrr_length(some[3]), 1);
	assert_int_equal(wrr_length(some[6]), 0);
	for (int round = 0; round < 50; round++) {
		uint16_t weight[8];

		for (int i = 0; i < 8; i++)
			weight[i] = (uint16_t)(random() % 50);
		check_cycle(weight, 8);
	}
}

static void rr_takes_each_once(void **state)
{
	static const uint16_t weight[] = {9, 0, 1, 65535};
	uint16_t share[4];
	uint32_t cycle[4];

	(void)state;
	cycle_shares(SL_SCHED_RR, weight, 4, share);
	assert_int_equal(cycle_length(share, 4), 3);
	assert_int_equal(cycle_make(share, 4, cycle), 0);
	assert_int_equal(cycle[0], 0);
	assert_int_equal(cycle[1], 2);
	assert_int_equal(cycle[2], 3);
}

/* Pools of equal shares have one cycle; a drained backend is there but in no cycle. */
static void cycles_are_shared(void **state)
{
	const struct sl_virtual_server *v;
	const uint32_t *cycle;
	const struct sl_backend *b;

	(void)state;
	apply("{'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
	      "'localAddressPools': [{'name': 'l', 'addresses': ['198.51.100.10']}],"
	      "'backendPools': [{'name': 'p', 'backends': ["
	      "{'name': 'a', 'address': '198.51.100.101', 'port': 80, 'weight': 0},"
	      "{'name': 'b', 'address': '198.51.100.102', 'port': 80, 'weight': 4},"
	      "{'name': 'c', 'address': '198.51.100.103', 'port': 80, 'weight': 6}]},"
	      "{'name': 'q', 'backends': ["
	      "{'name': 'a', 'address': '198.51.100.104', 'port': 80, 'weight': 0},"
	      "{'name': 'b', 'address': '198.51.100.105', 'port': 80, 'weight': 2},"
	      "{'name': 'c', 'address': '198.51.100.106', 'port': 80, 'weight': 3}]}],"
	      "'virtualServers': ["
	      "{'name': 'v1', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp',"
	      " 'backendPool': 'p', 'localAddressPool': 'l'},"
	      "{'name': 'v2', 'address': '192.0.2.1', 'port': 2, 'protocol': 'tcp',"
	      " 'backendPool': 'p', 'localAddressPool': 'l'},"
	      "{'name': 'v3', 'address': '192.0.2.1', 'port': 3, 'protocol': 'tcp',"
	      " 'scheduler': 'rr', 'backendPool': 'p', 'localAddressPool': 'l'},"
	      "{'name': 'v4', 'address': '192.0.2.1', 'port': 4, 'protocol': 'tcp',"
	      " 'backendPool': 'q', 'localAddressPool': 'l'}]}");
	v = sl_snapshot_at(snapshot, snapshot->virtual_servers);
	assert_int_equal(v[0].cycle.offset, v[1].cycle.offset);
	assert_int_equal(v[0].cycle.count, 5);
	assert_int_equal(v[2].cycle.count, 2);
	assert_int_equal(v[3].cycle.offset, v[0].cycle.offset);
	assert_int_equal(snapshot->cycles.count, 7);
	assert_int_equal(snapshot->backends.count, 6);
	b = sl_snapshot_at(snapshot, v[3].backends);
	assert_int_equal(v[3].backends.count, 3);
	assert_int_equal(sl_addr_v4(&b[1].addr), addr("198.51.100.105"));
	cycle = sl_snapshot_at(snapshot, snapshot->cycles);
	for (uint32_t i = 0; i < snapshot->cycles.count; i++)
		assert_int_not_equal(b[cycle[i]].weight, 0);
}

/* ---- tables of the other schedulers ---- */

/* Two pools of one set of backends, a third of others; servers 0, 1 and 2 use them. */
static void apply_pools(const char *scheduler, const char *first_weight, const char *setting)
{
	char json[4096];
	size_t at = snprintf(json, sizeof(json),
			     "{'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
			     "'localAddressPools': [{'name': 'l', 'addresses': ['198.51.100.10']}],"
			     "'backendPools': [");

	for (int p = 0; p < 3; p++) {
		at += snprintf(json + at, sizeof(json) - at, "%s{'name': 'p%d', 'backends': [",
			       p ? "," : "", p);
		for (int b = 0; b < 4; b++)
			at += snprintf(json + at, sizeof(json) - at,
				       "%s{'name': 'b%d', 'address': '198.51.100.%d', 'port': 80,"
				       " 'weight': %s}",
				       b ? "," : "", b, 101 + b + 10 * (p == 2),
				       b ? "2" : first_weight);
		at += snprintf(json + at, sizeof(json) - at, "]%s}", p < 2 ? setting : "");
	}
	at += snprintf(json + at, sizeof(json) - at, "], 'virtualServers': [");
	for (int v = 0; v < 3; v++)
		at += snprintf(json + at, sizeof(json) - at,
			       "%s{'name': 'v%d', 'address': '192.0.2.1', 'port': %d, 'protocol':"
			       " 'tcp', 'scheduler': '%s', 'backendPool': 'p%d',"
			       " 'localAddressPool': 'l'}",
			       v ? "," : "", v, v + 1, scheduler, v);
	snprintf(json + at, sizeof(json) - at, "]}");
	apply(json);
}

static const struct sl_virtual_server *server(int n)
{
	return (const struct sl_virtual_server *)sl_snapshot_at(snapshot,
								snapshot->virtual_servers) +
	       n;
}

/* Tables of consistent hashing follow from the backends, cycles and lists from weights alone. */
static void tables_are_shared(void **state)
{
	static const struct {
		const char *scheduler;
		uint32_t picks;
		bool by_backends;
	} all[] = {{"mh", 509, true}, {"conhash", 1024, true}, {"sh", 4, false},
		   {"fo", 4, false},  {"lc", 0, false},        {"wlc", 0, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		apply_pools(all[i].scheduler, "2", "");
		assert_int_equal(server(0)->cycle.count, all[i].picks);
		assert_int_equal(server(0)->cycle.offset, server(1)->cycle.offset);
		if (all[i].picks)
			assert_int_equal(server(0)->cycle.offset == server(2)->cycle.offset,
					 !all[i].by_backends);
		assert_int_equal(server(0)->hash_key,
				 sl_sched_tables[server(0)->scheduler] == SL_SCHED_TABLE_HASH
					 ? SL_HASH_KEY_SOURCE_IP
					 : SL_HASH_KEY_NONE);
	}
}

/* Drained backends are in no table; a table of nothing is empty. */
static void drained_in_no_table(void **state)
{
	static const char *const all[] = {"rr", "wrr", "mh", "conhash", "sh", "fo"};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const uint32_t *pick;

		apply_pools(all[i], "0", "");
		pick = sl_snapshot_at(snapshot, server(0)->cycle);
		assert_true(server(0)->cycle.count > 0);
		for (uint32_t k = 0; k < server(0)->cycle.count; k++)
			assert_in_range(pick[k], 1, 3);
	}
}

static void failover_list(void **state)
{
	const uint32_t *list;

	(void)state;
	apply_pools("fo", "1", "");
	list = sl_snapshot_at(snapshot, server(0)->cycle);
	assert_int_equal(list[0], 1);
	assert_int_equal(list[1], 2);
	assert_int_equal(list[2], 3);
	assert_int_equal(list[3], 0);
	apply_pools("fo", "9", "");
	list = sl_snapshot_at(snapshot, server(0)->cycle);
	assert_int_equal(list[0], 0);
}

static void mh_size_of_a_pool(void **state)
{
	(void)state;
	apply_pools("mh", "2", ", 'mhTableSize': 1021");
	assert_int_equal(server(0)->cycle.count, 1021);
	assert_int_equal(server(1)->cycle.offset, server(0)->cycle.offset);
	assert_int_equal(server(2)->cycle.count, 509);
	assert_int_equal(
		bed_config(model,
			   "{'localAddressPools': [{'name': 'l', 'addresses': ['198.51.100.10']}],"
			   "'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
			   "'backendPools': [{'name': 'p', 'mhTableSize': 3, 'backends': ["
			   "{'name': 'a', 'address': '198.51.100.2', 'port': 1},"
			   "{'name': 'b', 'address': '198.51.100.3', 'port': 1},"
			   "{'name': 'c', 'address': '198.51.100.4', 'port': 1},"
			   "{'name': 'd', 'address': '198.51.100.5', 'port': 1}]}],"
			   "'virtualServers': [{'name': 'v', 'address': '192.0.2.1', 'port': 1,"
			   " 'protocol': 'tcp', 'scheduler': 'mh', 'backendPool': 'p',"
			   " 'localAddressPool': 'l'}]}",
			   snapshot, &why),
		PROBLEM_INVALID_ARGUMENT);
	assert_non_null(strstr(why.text, "backend_pools[p].mh_table_size: 3 is under the number"));
}

/* Who ends connections to drained backends, by id; nothing while nobody does. */
static void quiescent_by_id(void **state)
{
	static const char config[] =
		"{'interfaces': [{'name': 'lan', 'addresses': ['10.0.0.1/8']}],"
		"'localAddressPools': [{'name': 'l', 'addresses': ['10.0.0.10']}],"
		"'backendPools': [{'name': 'p', 'backends': ["
		"{'name': 'a', 'address': '10.0.1.1', 'port': 1},"
		"{'name': 'b', 'address': '10.0.1.2', 'port': 1, 'weight': 0}]}],"
		"'virtualServers': [{'name': 'v', 'address': '10.0.2.1', 'port': 1,"
		" 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'l'},"
		"{'name': 'w', 'address': '10.0.2.1', 'port': 2, 'expireQuiescent': %s,"
		" 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'l'}]}";
	const uint32_t *servers, *taking;
	char json[sizeof(config) + 8];
	uint32_t w, a;

	(void)state;
	snprintf(json, sizeof(json), config, "false");
	apply(json);
	assert_int_equal(snapshot->quiescent_servers.count | snapshot->taking_backends.count, 0);
	snprintf(json, sizeof(json), config, "true");
	apply(json);
	servers = sl_snapshot_at(snapshot, snapshot->quiescent_servers);
	taking = sl_snapshot_at(snapshot, snapshot->taking_backends);
	w = model_find(model, RESOURCE_VIRTUAL_SERVER, "w")->ref;
	a = model_find(model, RESOURCE_BACKEND, "p/a")->ref;
	assert_int_equal(snapshot->quiescent_servers.count, root->max_virtual_servers);
	assert_int_equal(snapshot->taking_backends.count, root->max_backends);
	for (uint32_t id = 0; id < root->max_virtual_servers; id++)
		assert_int_equal(servers[id], id == SL_REF_ID(w) ? w : SL_REF_NONE);
	for (uint32_t id = 0; id < root->max_backends; id++)
		assert_int_equal(taking[id], id == SL_REF_ID(a) ? a : SL_REF_NONE);
}

static void limits_are_there(void **state)
{
	const struct sl_backend *b;

	(void)state;
	apply("{'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
	      "'localAddressPools': [{'name': 'l', 'addresses': ['198.51.100.10']}],"
	      "'backendPools': [{'name': 'p', 'backends': ["
	      "{'name': 'a', 'address': '198.51.100.2', 'port': 1, 'maxConnections': 10},"
	      "{'name': 'b', 'address': '198.51.100.3', 'port': 1}]}],"
	      "'virtualServers': [{'name': 'v', 'address': '192.0.2.1', 'port': 1,"
	      " 'protocol': 'tcp', 'maxConnections': 99, 'backendPool': 'p',"
	      " 'localAddressPool': 'l'}]}");
	b = sl_snapshot_at(snapshot, server(0)->backends);
	assert_int_equal(server(0)->max_connections, 99);
	assert_int_equal(b[0].max_connections, 10);
	assert_int_equal(sl_backend_low_mark(&b[0]), 7);
	assert_int_equal(b[1].max_connections, 0);
}

/* ---- the whole ---- */

/* Every server that is configured is found, at every load of the hash. */
static void every_server_is_found(void **state)
{
	char json[32 * 1024];

	(void)state;
	for (int n = 1; n <= 64; n++) {
		size_t at = snprintf(json, sizeof(json),
				     "{'backendPools': [{'name': 'p'}], 'localAddressPools': ["
				     "{'name': 'l', 'addresses': ['198.51.100.10']}],"
				     "'virtualServers': [");

		for (int i = 0; i < n; i++)
			at += snprintf(json + at, sizeof(json) - at,
				       "%s{'name': 'v%d', 'address': '192.0.2.%d', 'port': %d,"
				       " 'protocol': '%s', 'backendPool': 'p',"
				       " 'localAddressPool': 'l'}",
				       i ? "," : "", i, i % 7 + 1, 80 + i, i % 2 ? "tcp" : "udp");
		snprintf(json + at, sizeof(json) - at, "]}");
		apply(json);
		for (int i = 0; i < n; i++) {
			const struct sl_virtual_server *v = sl_virtual_server_find(
				snapshot, htonl(0xc0000201u + i % 7), htons(80 + i),
				i % 2 ? IPPROTO_TCP : IPPROTO_UDP);
			char name[16];

			snprintf(name, sizeof(name), "v%d", i);
			assert_non_null(v);
			assert_string_equal(model_name(model, IDS_VIRTUAL_SERVER, v->ref), name);
		}
		bed_json_free();
	}
}

#define RANGE_PORTS 40
#define RANGE_TESTS 200

/* What is at each port, read naively: one port, then a range, then all ports. */
struct ports {
	char at[3][RANGE_PORTS + 1]; /* by rank; 0 nothing, else the server's letter */
};

/* A few servers over few ports; what would be refused is left out. */
static size_t random_servers(char *json, size_t room, struct ports *ports)
{
	size_t used = 0;

	memset(ports, 0, sizeof(*ports));
	for (char name = 'a'; name < 'i'; name++) {
		uint32_t rank = random() % 3, first = 1 + random() % RANGE_PORTS;
		uint32_t last = rank == 1 ? first + 1 + random() % 6 : first;
		bool taken = last > RANGE_PORTS;

		if (rank == 2)
			first = 1, last = RANGE_PORTS;
		for (uint32_t p = first; p <= last && !taken; p++)
			taken = ports->at[rank][p];
		if (taken)
			continue;
		memset(&ports->at[rank][first], name, last - first + 1);
		used += snprintf(json + used, room - used,
				 "%s{'name': '%c', 'address': '192.0.2.1', 'protocol': 'tcp',"
				 "'backendPool': 'p', 'localAddressPool': 'l', 'port': %u,"
				 "'portEnd': %u}",
				 used ? "," : "", name, rank == 2 ? 0 : first,
				 rank == 1   ? last
				 : rank == 2 ? UINT16_MAX
					     : 0);
	}
	return used;
}

static void check_port(const struct ports *ports, uint32_t port)
{
	const struct sl_virtual_server *v =
		sl_virtual_server_find(snapshot, addr("192.0.2.1"), htons(port), IPPROTO_TCP);
	char wanted = 0;

	for (int rank = 0; rank < 3 && !wanted; rank++)
		wanted = ports->at[rank][port];
	if (!wanted)
		assert_null(v);
	else if (!v || *model_name(model, IDS_VIRTUAL_SERVER, v->ref) != wanted)
		fail_msg("port %u: not %c", port, wanted);
}

static void ranges_of_ports(void **state)
{
	char servers[4096], json[8192];
	struct ports ports;

	(void)state;
	for (int i = 0; i < RANGE_TESTS; i++) {
		random_servers(servers, sizeof(servers), &ports);
		snprintf(json, sizeof(json),
			 "{'backendPools': [{'name': 'p'}], 'localAddressPools': ["
			 "{'name': 'l', 'addresses': ['198.51.100.10']}],"
			 "'virtualServers': [%s]}",
			 servers);
		apply(json);
		for (uint32_t port = 1; port <= RANGE_PORTS; port++)
			check_port(&ports, port);
		assert_null(sl_virtual_server_find(snapshot, addr("192.0.2.1"), 0, IPPROTO_TCP));
		assert_null(
			sl_virtual_server_find(snapshot, addr("192.0.2.1"), htons(5), IPPROTO_UDP));
		assert_null(
			sl_virtual_server_find(snapshot, addr("192.0.2.2"), htons(5), IPPROTO_TCP));
		bed_json_free();
	}
}

/* Endpoints of a group are one server; a greatest MSS is TCP's alone. */
static void endpoints_of_a_group(void **state)
{
	const struct sl_virtual_server *one, *other, *udp;

	(void)state;
	apply("{'backendPools': [{'name': 'p', 'backends': ["
	      " {'name': 'b', 'address': '198.51.100.101'}]}],"
	      "'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
	      "'localAddressPools': [{'name': 'l', 'addresses': ['198.51.100.10']}],"
	      "'virtualServers': [{'name': 'a', 'address': '192.0.2.1', 'port': 80,"
	      " 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'l', 'maxMss': 1400,"
	      " 'endpoints': [{'address': '192.0.2.2', 'port': 8000, 'portEnd': 8999,"
	      " 'protocol': 'tcp'}, {'address': '192.0.2.2', 'portEnd': 65535, 'protocol': "
	      "'udp'}]}]}");
	one = sl_virtual_server_find(snapshot, addr("192.0.2.1"), htons(80), IPPROTO_TCP);
	other = sl_virtual_server_find(snapshot, addr("192.0.2.2"), htons(8999), IPPROTO_TCP);
	udp = sl_virtual_server_find(snapshot, addr("192.0.2.2"), htons(65535), IPPROTO_UDP);
	assert_true(one && other && udp);
	assert_true(one != other && other != udp);
	assert_int_equal(one->ref, other->ref);
	assert_int_equal(one->ref, udp->ref);
	assert_memory_equal(&one->backends, &udp->backends, sizeof(one->backends));
	assert_memory_equal(&one->cycle, &udp->cycle, sizeof(one->cycle));
	assert_int_equal(other->max_mss, 1400);
	assert_int_equal(udp->max_mss, 0);
	assert_non_null(sl_own_address_find(snapshot, addr("192.0.2.2")));
	assert_null(sl_virtual_server_find(snapshot, addr("192.0.2.2"), htons(7999), IPPROTO_TCP));
}

static void persistence(void **state)
{
	const struct sl_virtual_server *one, *plain;
	const uint32_t *place;
	const struct sl_backend *b;

	(void)state;
	apply("{'backendPools': [{'name': 'p', 'backends': ["
	      " {'name': 'b', 'address': '198.51.100.101'},"
	      " {'name': 'a', 'address': '198.51.100.102'}]}],"
	      "'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
	      "'localAddressPools': [{'name': 'l', 'addresses': ['198.51.100.10']}],"
	      "'virtualServers': [{'name': 'a', 'address': '192.0.2.1', 'port': 80,"
	      " 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'l', 'persistence':"
	      " {'timeoutSeconds': 7, 'ipv4PrefixLength': 20}}, {'name': 'b', 'address': "
	      "'192.0.2.1',"
	      " 'port': 81, 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'l'}]}");
	one = sl_virtual_server_find(snapshot, addr("192.0.2.1"), htons(80), IPPROTO_TCP);
	plain = sl_virtual_server_find(snapshot, addr("192.0.2.1"), htons(81), IPPROTO_TCP);
	assert_true(one->persistent && !plain->persistent);
	assert_int_equal(one->persistence.timeout, 7 * SL_TICK_HZ);
	assert_int_equal(one->persistence.mask[0].w[3], addr("255.255.240.0"));
	assert_int_equal(one->persistence.mask[0].w[2], UINT32_MAX);
	assert_int_equal(one->persistence.mask[1].w[3], UINT32_MAX);
	place = sl_snapshot_at(snapshot, snapshot->backend_places);
	b = sl_snapshot_at(snapshot, snapshot->backends);
	for (uint32_t i = 0; i < snapshot->backends.count; i++)
		assert_int_equal(place[SL_REF_ID(b[i].ref)], i);
	apply(bed_good);
	assert_int_equal(snapshot->backend_places.count, 0);
}

/* Addresses and ports as operators number them: in sequence. Probes stay short. */
static void hash_spreads_sequences(void **state)
{
	static uint8_t used[32768];
	uint64_t probes = 0;

	(void)state;
	memset(used, 0, sizeof(used));
	for (uint32_t i = 0; i < 10000; i++) {
		uint32_t at = sl_virtual_hash(htonl(0xc0000200u + i / 2), htons(80 + i % 2 * 363),
					      IPPROTO_TCP);

		for (at %= sizeof(used); used[at]; at = (at + 1) % sizeof(used))
			probes++;
		used[at] = 1;
	}
	assert_in_range(probes, 0, 10000);
}

static int compile_again(struct sl_snapshot *out, size_t room, const struct sl_snapshot *previous)
{
	const struct compile_target target = {
		.out = out, .room = room, .generation = 2, .revision = 1, .previous = previous};

	return bed_compile(model, &target, &why);
}

static void too_small_a_half(void **state)
{
	char needs[40];

	(void)state;
	apply(bed_good);
	snprintf(needs, sizeof(needs), "needs %u", snapshot->size);
	assert_int_equal(compile_again(root->arena.half[1], snapshot->size, NULL), 0);
	assert_int_not_equal(compile_again(root->arena.half[1], snapshot->size - 1, NULL), 0);
	assert_int_equal(why.code, PROBLEM_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(why.text, "limits: snapshot"));
	assert_non_null(strstr(why.text, needs));
}

/* Nothing is written beyond the size that was said to be needed. */
static void stays_inside(void **state)
{
	uint8_t *half = (uint8_t *)root->arena.half[1];

	(void)state;
	apply(bed_good);
	memset(half, 0xa5, BED_HALF);
	assert_int_equal(compile_again(root->arena.half[1], BED_HALF, NULL), 0);
	assert_int_equal(root->arena.half[1]->size % 64, 0);
	for (size_t i = root->arena.half[1]->size; i < BED_HALF; i++)
		assert_int_equal(half[i], 0xa5);
}

static void same_configuration_same_bytes(void **state)
{
	struct sl_snapshot *other = root->arena.half[1];

	(void)state;
	apply(bed_good);
	memset(other, 0xff, BED_HALF);
	assert_int_equal(compile_again(other, BED_HALF, snapshot), 0);
	assert_int_equal(other->generation, 2);
	assert_int_equal(other->route_epoch, snapshot->route_epoch);
	assert_true(compile_same(snapshot, other));
}

static void epoch_follows_routes(void **state)
{
	struct sl_snapshot *other = root->arena.half[1];

	(void)state;
	apply(bed_good);
	memcpy(other, snapshot, snapshot->size);
	apply("{'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}]}");
	assert_int_equal(compile_again(snapshot, BED_HALF, other), 0);
	assert_int_not_equal(snapshot->route_epoch, other->route_epoch);
	assert_false(compile_same(snapshot, other));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_sample),
		T(locals_of_both_families),
		T(own_addresses),
		T(nothing_configured),
		T(timeouts),
		T(longest_prefix),
		T(next_hops),
		T(wrr_is_exact),
		T(rr_takes_each_once),
		T(cycles_are_shared),
		T(tables_are_shared),
		T(drained_in_no_table),
		T(failover_list),
		T(mh_size_of_a_pool),
		T(quiescent_by_id),
		T(limits_are_there),
		T(every_server_is_found),
		T(ranges_of_ports),
		T(endpoints_of_a_group),
		T(persistence),
		T(hash_spreads_sequences),
		T(too_small_a_half),
		T(stays_inside),
		T(same_configuration_same_bytes),
		T(epoch_follows_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
