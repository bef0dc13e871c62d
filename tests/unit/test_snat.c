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
#include "secondary/local_port.h"
#include "secondary/mode.h"
#include "tests/unit/lib/bed.h"

#define FLOWS 300

static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

/* A snapshot with a policy and a local address. */
static struct {
	struct sl_snapshot head;
	struct sl_snat_policy policy __attribute__((aligned(64)));
	struct sl_local_address local __attribute__((aligned(64)));
	uint32_t list[1] __attribute__((aligned(64)));
} snapshot;

#define SPAN(member) ((struct sl_span){offsetof(typeof(snapshot), member), 1})

static struct bed *new_bed(const char *dir)
{
	struct bed *b = bed_new(1, 1024, 512);

	snapshot.local = (struct sl_local_address){.ref = SL_REF(2, 1),
						   .addr = sl_addr_of_v4(inet_addr("192.0.2.10"))};
	snapshot.policy.server =
		(struct sl_virtual_server){.ref = SL_REF(3, 1), .local = SPAN(list)};
	snapshot.policy.outside = (struct sl_backend){.ref = SL_REF(4, 1), .mode = SL_MODE_SNAT};
	snapshot.head.local_addresses = SPAN(local);
	snapshot.head.snat_policies = SPAN(policy);
	snprintf(b->root.runtime_dir, sizeof(b->root.runtime_dir), "%s", dir);
	b->worker.snapshot = &snapshot.head;
	return b;
}

static struct sl_tuple inside_key(uint32_t n)
{
	uint8_t proto = protos[n % 3];

	return (struct sl_tuple){.proto = proto,
				 .saddr = htonl(0x0a000001 + n),
				 .daddr = inet_addr("203.0.113.7"),
				 .sport = htons((uint16_t)(4000 + n)),
				 .dport = proto == IPPROTO_ICMP ? 0 : htons(53)};
}

static struct sl_conn *find(struct bed *b, const struct sl_tuple *tuple, uint8_t *dir)
{
	uint64_t key[2];

	memcpy(key, tuple, sizeof(key));
	key[0] &= CONN_KEY_MASK;
	return conn_find(&b->worker.conns, key, conn_hash(&b->worker.conns, key[0], key[1]), dir);
}

/* The local port of a connection to `backend`. */
static uint16_t open_to(struct bed *b, uint32_t n, const struct mode_ops *mode,
			const struct sl_backend *backend)
{
	const struct sl_virtual_server *server = &snapshot.policy.server;
	struct conn_new c = {
		.key[SL_DIR_IN] = inside_key(n),
		.virtual_server = server->ref,
		.backend = backend->ref,
		.state = n % 3 ? SL_CONN_UDP : SL_CONN_SYN_SENT,
		.flags = sl_mode_flags[backend->mode],
	};
	uint32_t at;

	assert_int_equal(mode->prepare(&b->worker, server, backend, &c), MODE_READY);
	for (int d = 0; d < 2; d++)
		c.hash[d] = conn_tuple_hash(&b->worker.conns, &c.key[d]);
	assert_int_equal(conn_open(&b->worker, &b->worker.conns, &c, &at), 0);
	return ntohs(c.key[SL_DIR_OUT].dport);
}

static uint16_t open_flow(struct bed *b, uint32_t n)
{
	return open_to(b, n, &mode_snat, &snapshot.policy.outside);
}

static void open_all(struct bed *b)
{
	for (uint32_t n = 0; n < FLOWS; n++)
		open_flow(b, n);
}

/* All are found both ways, and no port that one has is handed out. */
static void check_all(struct bed *b)
{
	static uint8_t used[2][65536];
	uint16_t pool, port;

	memset(used, 0, sizeof(used));
	for (uint32_t n = 0; n < FLOWS; n++) {
		struct sl_tuple in = inside_key(n);
		const struct sl_conn *e;
		uint8_t dir;

		e = find(b, &in, &dir);
		assert_non_null(e);
		assert_int_equal(dir, SL_DIR_IN);
		assert_int_equal(e->core.state == SL_CONN_ICMP, in.proto == IPPROTO_ICMP);
		assert_ptr_equal(find(b, &e->key[SL_DIR_OUT], &dir), e);
		assert_int_equal(dir, SL_DIR_OUT);
		used[e->core.port_pool & 1][ntohs(e->key[SL_DIR_OUT].dport)] = 1;
	}
	assert_int_equal(b->slot.virtual_server_stats[3].active, FLOWS);
	assert_int_equal(b->slot.backend_stats[4].active, FLOWS);
	for (uint32_t group = 0; group < 2; group++)
		while ((port = local_port_take(&b->worker, &snapshot.local, group, &pool)))
			assert_int_equal(used[pool & 1][port], 0);
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
