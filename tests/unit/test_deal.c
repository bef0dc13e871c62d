/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checkpoints dealt out to another number of workers: every connection once, at the owner of its
 * client; a stub where its local port says another, which keeps the port as long as it lives.
 */
#include "primary/deal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_byteorder.h>

#include <sluice/checkpoint.h>
#include <sluice/owner.h>

#include "secondary/checkpoint.h"
#include "secondary/local_port.h"
#include "tests/unit/lib/flows.h"

#define MANY    3000 /* of each family */
#define BUCKETS 8192

static char dir[] = "/tmp/sluice-deal-XXXXXX";
static char checkpoint[64];

/* One of each; the addresses of ours are not asked for. */
static struct {
	struct sl_snapshot head;
	struct sl_virtual_server server __attribute__((aligned(64)));
	struct sl_backend backend __attribute__((aligned(64)));
	struct sl_local_address local[2] __attribute__((aligned(64)));
} snapshot;

#define SPAN(member, n) ((struct sl_span){offsetof(typeof(snapshot), member), n})

/* What the files hold. */
struct found {
	unsigned int connections, moved, stubs;
};

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoint", dir);
	snapshot.server = (struct sl_virtual_server){.ref = FLOWS_SERVER};
	snapshot.backend = (struct sl_backend){.ref = FLOWS_BACKEND};
	for (uint32_t i = 0; i < 2; i++)
		snapshot.local[i] = flows_of(i, i).local;
	snapshot.head.virtual_servers = SPAN(server, 1);
	snapshot.head.backends = SPAN(backend, 1);
	snapshot.head.local_addresses = SPAN(local, 2);
	return 0;
}

static int remove_all(void **state)
{
	static const char *const suffixes[] = {"", ".refused"};
	char path[PATH_MAX];

	(void)state;
	for (unsigned int i = 0; i < 2 * SL_MAX_WORKERS; i++) {
		sl_checkpoint_path(path, checkpoint, i / 2, suffixes[i % 2]);
		unlink(path);
	}
	rmdir(checkpoint);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct bed *new_bed(unsigned int n_workers)
{
	struct bed *b = bed_new(n_workers, 2 * MANY, BUCKETS);

	snprintf(b->root.runtime_dir, sizeof(b->root.runtime_dir), "%s", dir);
	b->worker.snapshot = &snapshot.head;
	return b;
}

/* The only worker, with MANY connections of each family, ends. Returns the seed. */
static uint64_t write_some(void)
{
	struct bed *b = new_bed(1);
	uint64_t seed = b->root.seed;
	uint32_t at;

	for (unsigned int family = 0; family < 2; family++) {
		struct flows f = flows_of(family, family);

		for (uint32_t n = 0; n < MANY; n++)
			assert_int_equal(flows_open(b, &f, n, &at), 0);
	}
	b->slot.worker.checkpoint_read = 1;
	assert_int_equal(checkpoint_write(&b->worker), 0);
	bed_free(b);
	return seed;
}

static void judge(const union sl_conn_entry *e, unsigned int family, unsigned int worker,
		  const struct sl_checkpoint *h, struct found *found)
{
	const struct sl_conn_core *core = family ? &e->v6.core : &e->v4.core;
	rte_be16_t port = family ? e->v6.key[SL_DIR_OUT].dport : e->v4.key[SL_DIR_OUT].dport;
	unsigned int local = sl_owner_local_port(rte_be_to_cpu_16(port), h->n_workers);
	unsigned int client = family ? sl_owner_conn6(&e->v6, h->seed, h->n_workers)
				     : sl_owner_conn(&e->v4, h->seed, h->n_workers);

	if (core->flags & SL_CONN_F_STUB) {
		assert_int_equal(worker, local);
		assert_int_not_equal(worker, client);
		assert_int_equal(core->state, SL_CONN_NONE);
		assert_false(core->flags & SL_CONN_F_MOVED);
		found->stubs++;
		return;
	}
	assert_int_equal(worker, client);
	assert_int_equal(core->state, SL_CONN_UDP);
	assert_int_equal(!!(core->flags & SL_CONN_F_MOVED), local != client);
	found->moved += local != client;
	found->connections++;
}

/* As a reader without our code would: header, then entries of a family after the other. */
static void read_one(unsigned int worker, unsigned int n_workers, uint64_t seed,
		     struct found *found)
{
	struct sl_checkpoint h;
	union sl_conn_entry e;
	char path[PATH_MAX];
	FILE *file;

	sl_checkpoint_path(path, checkpoint, worker, "");
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fread(&h, sizeof(h), 1, file), 1);
	fseek(file, 0, SEEK_END);
	assert_null(sl_checkpoint_refused(&h, (uint64_t)ftell(file), seed));
	assert_int_equal(h.n_workers, n_workers);
	fseek(file, sizeof(h), SEEK_SET);
	for (unsigned int family = 0; family < 2; family++)
		for (uint32_t i = 0; i < h.count[family]; i++) {
			assert_int_equal(fread(&e, h.entry_size[family], 1, file), 1);
			judge(&e, family, worker, &h, found);
		}
	fclose(file);
}

static struct found read_all(unsigned int n_workers, uint64_t seed)
{
	struct found found = {0};
	char path[PATH_MAX];

	for (unsigned int i = 0; i < n_workers; i++)
		read_one(i, n_workers, seed, &found);
	sl_checkpoint_path(path, checkpoint, n_workers, "");
	assert_int_not_equal(access(path, F_OK), 0);
	return found;
}

/* What a primary leaves that dies over it. */
static void half_dealt(char path[PATH_MAX])
{
	char new[80];
	FILE *file;

	snprintf(new, sizeof(new), "%s.new", checkpoint);
	assert_int_equal(mkdir(new, 0700), 0);
	sl_checkpoint_path(path, new, 0, "");
	file = fopen(path, "we");
	assert_non_null(file);
	fclose(file);
}

static void other_counts(void **state)
{
	static const unsigned int counts[] = {1, 2, 3, 16, 5, 1};
	uint64_t seed = write_some();
	char half[PATH_MAX];

	(void)state;
	half_dealt(half);
	for (unsigned int i = 0; i < RTE_DIM(counts); i++) {
		struct found found;

		deal_checkpoints(dir, counts[i], seed);
		found = read_all(counts[i], seed);
		assert_int_equal(found.connections, 2 * MANY);
		assert_int_equal(found.stubs, found.moved);
		/* of n workers all but one n-th have another one's port */
		assert_true(found.moved >= 2 * MANY * (counts[i] - 1) / counts[i] * 9 / 10);
		assert_true(counts[i] > 1 || !found.moved);
		assert_int_not_equal(access(half, F_OK), 0);
	}
}

/* How many ports of a new pool are left, none of which a stub or a connection has. */
static uint32_t take_ports(struct bed *b, const struct flows *f)
{
	static uint8_t seen[65536];
	uint32_t taken = 0;
	uint16_t port, pool;

	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < 2 * MANY; i++)
		if (b->slot.conns.check[i])
			seen[flows_port(b, f, i)]++;
	while ((port = local_port_take(&b->worker, &f->local, local_port_group(&f->backend.addr),
				       &pool))) {
		assert_int_equal(seen[port]++, 0);
		taken++;
	}
	return taken;
}

/* Worker 0 of two takes its file up: its ports are held by connections and stubs. */
static void stubs_hold_ports(void **state)
{
	struct flows f = flows_of(false, 0);
	uint64_t seed = write_some();
	struct bed *b = new_bed(2);
	uint32_t connections = 0, stubs = 0, moved = 0;

	(void)state;
	assert_int_equal(b->root.seed, seed);
	b->worker.timeout[SL_CONN_NONE] = 900 * SL_TICK_HZ;
	deal_checkpoints(dir, 2, seed);
	b->worker.clock.tick = 100000;
	checkpoint_read(&b->worker);
	for (uint32_t i = 0; i < 2 * MANY; i++) {
		const struct sl_conn *e = &b->slot.conns.entry[i];
		uint8_t way;

		if (!b->slot.conns.check[i])
			continue;
		assert_int_equal(flows_find_reply(b, &f, i, &way), i);
		stubs += !!(e->core.flags & SL_CONN_F_STUB);
		moved += !!(e->core.flags & SL_CONN_F_MOVED);
		connections += !(e->core.flags & SL_CONN_F_STUB);
	}
	assert_true(stubs > MANY / 8 && moved > MANY / 8);
	assert_int_equal(conn_count(&b->worker.conns), connections + stubs);
	for (uint32_t n = 0; n < MANY; n++) { /* the client of a stub has no connection here */
		uint8_t way;

		assert_int_equal(flows_find(b, &f, n, &way) != FLOWS_NONE,
				 flows_owner(b, &f, n) == 0);
	}
	for (uint32_t i = 0; i < 2 * MANY; i++) {
		const struct sl_conn_core *core = &b->slot.conns6.entry6[i].core;

		connections += b->slot.conns6.check[i] && !(core->flags & SL_CONN_F_STUB);
	}
	assert_int_equal(b->slot.backend_stats[5].active, connections);
	bed_free(b);
}

/* They outlast what they stand for, and then give their ports back. */
static void stubs_end(void **state)
{
	struct flows f = flows_of(false, 0);
	uint64_t seed = write_some();
	struct bed *b = new_bed(2);
	uint32_t stubs = 0, held;

	(void)state;
	b->worker.timeout[SL_CONN_NONE] = 900 * SL_TICK_HZ;
	deal_checkpoints(dir, 2, seed);
	b->worker.clock.tick = 100000;
	checkpoint_read(&b->worker);
	held = conn_count(&b->worker.conns);
	bed_pass(b, 100 * SL_TICK_HZ); /* UDP is over */
	for (uint32_t i = 0; i < 2 * MANY; i++)
		stubs += b->slot.conns.check[i] != 0;
	assert_true(stubs > 0 && stubs < held);
	assert_int_equal(take_ports(b, &f) + stubs, b->slot.ports_per_pool);
	bed_pass(b, 900 * SL_TICK_HZ);
	assert_int_equal(conn_count(&b->worker.conns), 0);
	assert_int_equal(take_ports(b, &f), stubs);
	bed_free(b);
}

/* A death while something was changed: the rebuild finds stubs again. */
static void stubs_outlive_a_death(void **state)
{
	struct flows f = flows_of(false, 0);
	uint64_t seed = write_some();
	struct bed *b = new_bed(2);
	uint32_t before, active, held = 0;
	uint8_t way;

	(void)state;
	b->worker.timeout[SL_CONN_NONE] = 900 * SL_TICK_HZ;
	deal_checkpoints(dir, 2, seed);
	b->worker.clock.tick = 100000;
	checkpoint_read(&b->worker);
	before = conn_count(&b->worker.conns);
	active = b->slot.backend_stats[5].active;
	bed_die_and_rebuild(b);
	assert_int_equal(conn_count(&b->worker.conns), before);
	assert_int_equal(b->slot.backend_stats[5].active, active);
	for (uint32_t i = 0; i < 2 * MANY; i++)
		if (b->slot.conns.check[i])
			assert_int_equal(flows_find_reply(b, &f, i, &way), i);
	for (uint32_t i = 0; i < 2 * MANY; i++)
		held += b->slot.conns.check[i] &&
			!(b->slot.conns.entry[i].core.flags & SL_CONN_F_MOVED);
	assert_int_equal(take_ports(b, &f) + held, b->slot.ports_per_pool);
	bed_free(b);
}

/* A damaged file is set aside, and so is one of another seed; the others are dealt. */
static void damaged(void **state)
{
	uint64_t seed = write_some();
	char path[PATH_MAX], refused[PATH_MAX], other[PATH_MAX];

	(void)state;
	deal_checkpoints(dir, 3, seed);
	sl_checkpoint_path(path, checkpoint, 2, "");
	sl_checkpoint_path(refused, checkpoint, 2, ".refused");
	sl_checkpoint_path(other, checkpoint, 1, "");
	assert_int_equal(truncate(path, 1000), 0);
	deal_checkpoints(dir, 2, seed);
	assert_int_equal(access(refused, F_OK), 0);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	deal_checkpoints(dir, 1, seed + 1);
	sl_checkpoint_path(refused, checkpoint, 1, ".refused");
	assert_int_equal(access(refused, F_OK), 0);
	assert_int_equal(read_all(1, seed + 1).connections, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(other_counts, remove_all),
		cmocka_unit_test_teardown(stubs_hold_ports, remove_all),
		cmocka_unit_test_teardown(stubs_end, remove_all),
		cmocka_unit_test_teardown(stubs_outlive_a_death, remove_all),
		cmocka_unit_test_teardown(damaged, remove_all),
	};

	return cmocka_run_group_tests_name("deal", tests, make_dir, remove_dir);
}
