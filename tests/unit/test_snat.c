/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections of SNAT: their other side, across a death and a full restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include <sluice/snat.h>

#include "secondary/checkpoint.h"
#include "secondary/conn6.h"
#include "secondary/local_port.h"
#include "secondary/mode.h"
#include "tests/unit/lib/bed.h"

#define FLOWS 300

static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

/* A snapshot with a policy and a local address of each family. */
static struct {
	struct sl_snapshot head;
	struct sl_snat_policy policy __attribute__((aligned(64)));
	struct sl_local_address local[2] __attribute__((aligned(64)));
	uint32_t list[2] __attribute__((aligned(64)));
} snapshot;

#define SPAN(member, n) ((struct sl_span){offsetof(typeof(snapshot), member), n})

static struct sl_addr addr6(uint32_t last)
{
	return (struct sl_addr){.w = {htonl(0x20010db8), 0, 0, htonl(last)}};
}

static struct bed *new_bed(const char *dir)
{
	struct bed *b = bed_new(1, 1024, 512);

	snapshot.local[0] = (struct sl_local_address){
		.ref = SL_REF(2, 1), .addr = sl_addr_of_v4(inet_addr("192.0.2.10"))};
	snapshot.local[1] = (struct sl_local_address){.ref = SL_REF(3, 1), .addr = addr6(10)};
	snapshot.list[1] = 1;
	snapshot.policy.server = (struct sl_virtual_server){
		.ref = SL_REF(3, 1), .local = SPAN(list[1], 1), .n_local_v4 = 1};
	snapshot.policy.outside = (struct sl_backend){.ref = SL_REF(4, 1), .mode = SL_MODE_SNAT};
	snapshot.head.local_addresses = SPAN(local, 2);
	snapshot.head.snat_policies = SPAN(policy, 1);
	snprintf(b->root.runtime_dir, sizeof(b->root.runtime_dir), "%s", dir);
	b->worker.snapshot = &snapshot.head;
	return b;
}

/* What the nth host sends, to 203.0.113.7 or 2001:db8::cb00:7107. */
static struct sl_tuple inside_key(uint32_t n)
{
	uint8_t proto = protos[n % 3];

	return (struct sl_tuple){.proto = proto,
				 .saddr = htonl(0x0a000001 + n),
				 .daddr = inet_addr("203.0.113.7"),
				 .sport = htons((uint16_t)(4000 + n)),
				 .dport = proto == IPPROTO_ICMP ? 0 : htons(53)};
}

static struct sl_tuple6 inside_key6(uint32_t n)
{
	struct sl_tuple k = inside_key(n);

	return (struct sl_tuple6){.proto = k.proto,
				  .saddr = addr6(ntohl(k.saddr)),
				  .daddr = addr6(ntohl(k.daddr)),
				  .sport = k.sport,
				  .dport = k.dport};
}

static const struct sl_conn *find(struct bed *b, const struct sl_tuple *tuple, uint8_t *dir)
{
	uint64_t key[2];

	memcpy(key, tuple, sizeof(key));
	key[0] &= CONN_KEY_MASK;
	return conn_find(&b->worker.conns, key, conn_hash(&b->worker.conns, key[0], key[1]), dir);
}

static const struct sl_conn6 *find6(struct bed *b, const struct sl_tuple6 *tuple, uint8_t *dir)
{
	uint64_t key[CONN6_WORDS];

	conn6_words(tuple, key);
	return conn6_find(&b->worker.conns6, key, conn6_hash(&b->worker.conns6, key), dir);
}

static struct conn_new new_conn(uint32_t n, const struct sl_backend *backend)
{
	return (struct conn_new){
		.virtual_server = snapshot.policy.server.ref,
		.backend = backend->ref,
		.state = n % 3 ? SL_CONN_UDP : SL_CONN_SYN_SENT,
		.flags = sl_mode_flags[backend->mode],
	};
}

/* The local port of a connection to `backend`. */
static uint16_t open_to(struct bed *b, uint32_t n, const struct mode_ops *mode,
			const struct sl_backend *backend)
{
	struct conn_new c = new_conn(n, backend);
	struct sl_virtual_server server = snapshot.policy.server;
	uint32_t at;

	if (backend->mode != SL_MODE_SNAT)
		server.local = sl_local_v4(&server);
	c.key[SL_DIR_IN] = inside_key(n);
	assert_int_equal(mode->prepare(&b->worker, &server, backend, &c), MODE_READY);
	for (int d = 0; d < 2; d++)
		c.hash[d] = conn_tuple_hash(&b->worker.conns, &c.key[d]);
	assert_int_equal(conn_open(&b->worker, &b->worker.conns, &c, &at), 0);
	return ntohs(c.key[SL_DIR_OUT].dport);
}

static uint16_t open_flow(struct bed *b, uint32_t n)
{
	return open_to(b, n, &mode_snat, &snapshot.policy.outside);
}

static void open_flow6(struct bed *b, uint32_t n)
{
	const struct sl_snat_policy *p = &snapshot.policy;
	struct conn_new c = new_conn(n, &p->outside);
	uint32_t at;

	c.key6[SL_DIR_IN] = inside_key6(n);
	assert_int_equal(mode_snat.prepare6(&b->worker, &p->server, &p->outside, &c), MODE_READY);
	for (int d = 0; d < 2; d++)
		c.hash[d] = conn6_tuple_hash(&b->worker.conns6, &c.key6[d]);
	assert_int_equal(conn_open(&b->worker, &b->worker.conns6, &c, &at), 0);
}

static void open_all(struct bed *b)
{
	for (uint32_t n = 0; n < FLOWS; n++) {
		open_flow(b, n);
		open_flow6(b, n);
	}
}

static uint8_t used[2][2][65536]; /* by family, pool and port */

/* The nth connection is found both ways; its port is used. */
static void check_flow(struct bed *b, uint32_t n)
{
	struct sl_tuple in = inside_key(n);
	const struct sl_conn *e;
	uint8_t dir;

	e = find(b, &in, &dir);
	assert_non_null(e);
	assert_int_equal(dir, SL_DIR_IN);
	assert_int_equal(e->core.state == SL_CONN_ICMP, in.proto == IPPROTO_ICMP);
	assert_ptr_equal(find(b, &e->key[SL_DIR_OUT], &dir), e);
	assert_int_equal(dir, SL_DIR_OUT);
	used[0][e->core.port_pool & 1][ntohs(e->key[SL_DIR_OUT].dport)]++;
}

static void check_flow6(struct bed *b, uint32_t n)
{
	struct sl_tuple6 in = inside_key6(n);
	const struct sl_conn6 *e;
	uint8_t dir;

	e = find6(b, &in, &dir);
	assert_non_null(e);
	assert_int_equal(dir, SL_DIR_IN);
	assert_int_equal(e->core.state == SL_CONN_ICMP, in.proto == IPPROTO_ICMP);
	assert_true(sl_addr_equal(&e->key[SL_DIR_OUT].daddr, &snapshot.local[1].addr));
	assert_ptr_equal(find6(b, &e->key[SL_DIR_OUT], &dir), e);
	assert_int_equal(dir, SL_DIR_OUT);
	used[1][e->core.port_pool & 1][ntohs(e->key[SL_DIR_OUT].dport)]++;
}

/* All are found, each with a port of its own, and no port that one has is handed out. */
static void check_all(struct bed *b)
{
	uint16_t pool, port;

	memset(used, 0, sizeof(used));
	for (uint32_t n = 0; n < FLOWS; n++) {
		check_flow(b, n);
		check_flow6(b, n);
	}
	assert_int_equal(b->slot.virtual_server_stats[3].active, 2 * FLOWS);
	assert_int_equal(b->slot.backend_stats[4].active, 2 * FLOWS);
	for (int family = 0; family < 2; family++)
		for (uint32_t group = 0; group < 2; group++)
			while ((port = local_port_take(&b->worker, &snapshot.local[family], group,
						       &pool)))
				assert_int_equal(used[family][pool & 1][port]++, 0);
	for (size_t i = 0; i < sizeof(used); i++)
		assert_true(((uint8_t *)used)[i] <= 1);
}

static void death(void **state)
{
	struct bed *b = new_bed("/nowhere");

	(void)state;
	open_all(b);
	bed_attach(b);
	b->worker.snapshot = &snapshot.head;
	conn_rebuild(&b->worker);
	check_all(b);
	bed_free(b);
}

static void full_restart(void **state)
{
	char dir[] = "/tmp/sluice-snat-XXXXXX", path[64];
	struct bed *from, *to, *without;

	(void)state;
	assert_non_null(mkdtemp(dir));
	from = new_bed(dir);
	to = new_bed(dir);
	without = new_bed(dir);
	open_all(from);
	from->slot.worker.checkpoint_read = 1;
	assert_int_equal(checkpoint_write(&from->worker), 0);
	checkpoint_read(&to->worker);
	check_all(to);
	/* not when the policy has gone */
	assert_int_equal(checkpoint_write(&from->worker), 0);
	snapshot.head.snat_policies.count = 0;
	checkpoint_read(&without->worker);
	assert_int_equal(conn_count(&without->worker.conns), 0);
	assert_int_equal(conn_count(&without->worker.conns6), 0);
	bed_free(from);
	bed_free(to);
	bed_free(without);
	snprintf(path, sizeof(path), "%s/checkpoint", dir);
	rmdir(path);
	assert_int_equal(rmdir(dir), 0);
}

/* Where SNAT goes may be a backend, too: no local endpoint is that of a connection of either. */
static void destination_is_backend(void **state)
{
	const struct sl_backend backend = {.ref = SL_REF(5, 1),
					   .addr = sl_addr_of_v4(inside_key(0).daddr)};
	struct bed *b = new_bed("/nowhere");
	uint16_t snat, fullnat;

	(void)state;
	snat = open_flow(b, 0);
	fullnat = open_to(b, 1, &mode_fullnat, &backend);
	assert_int_not_equal(snat, fullnat);
	assert_int_not_equal(open_flow(b, 2), fullnat);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(death),
		cmocka_unit_test(full_restart),
		cmocka_unit_test(destination_is_backend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
