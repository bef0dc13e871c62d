/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections written by one worker and taken up by the next one's: all, some, and none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "secondary/checkpoint.h"
#include "secondary/local_port.h"
#include "tests/unit/lib/flows.h"

#define MANY    100000
#define BUCKETS 65536
#define MANY6   20000 /* and of these over IPv6 */
#define EACH    4     /* local addresses of a family */
#define LOCALS  (2 * EACH)

static char dir[] = "/tmp/sluice-checkpoint-XXXXXX";
static char file[64], refused[96];

/* A snapshot with one of each, but for the local addresses. */
static struct {
	struct sl_snapshot head;
	struct sl_virtual_server server __attribute__((aligned(64)));
	struct sl_backend backend __attribute__((aligned(64)));
	struct sl_local_address local[LOCALS] __attribute__((aligned(64)));
} snapshot;

#define SPAN(member, n) ((struct sl_span){offsetof(typeof(snapshot), member), n})

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/checkpoint/worker-0", dir);
	snprintf(refused, sizeof(refused), "%s.refused", file);
	snapshot.server = (struct sl_virtual_server){.ref = FLOWS_SERVER};
	snapshot.backend = (struct sl_backend){.ref = FLOWS_BACKEND};
	for (uint32_t i = 0; i < LOCALS; i++)
		snapshot.local[i] = flows_of(i >= EACH, i).local;
	snapshot.head.virtual_servers = SPAN(server, 1);
	snapshot.head.backends = SPAN(backend, 1);
	snapshot.head.local_addresses = SPAN(local, LOCALS);
	return 0;
}

static int remove_dir(void **state)
{
	char path[64];

	(void)state;
	unlink(file);
	unlink(refused);
	snprintf(path, sizeof(path), "%s/checkpoint", dir);
	rmdir(path);
	return rmdir(dir);
}

static struct bed *new_bed(unsigned int n_workers, uint32_t capacity)
{
	struct bed *b = bed_new(n_workers, capacity, BUCKETS);

	snprintf(b->root.runtime_dir, sizeof(b->root.runtime_dir), "%s", dir);
	b->worker.snapshot = &snapshot.head;
	return b;
}

static bool is_ours(const struct bed *b, bool ipv6, uint32_t n)
{
	struct flows f = flows_of(ipv6, 0);

	return flows_owner(b, &f, n) == 0;
}

static void open_some(struct bed *b, bool ipv6, uint32_t count)
{
	unsigned int i = ipv6 ? EACH : 0;
	struct flows f = flows_of(ipv6, i);

	for (uint32_t n = 0; count; n++) {
		uint32_t at;

		if (!is_ours(b, ipv6, n))
			continue;
		while (flows_open(b, &f, n, &at)) {
			f = flows_of(ipv6, ++i); /* out of ports */
			assert_true(i < (ipv6 ? LOCALS : EACH));
		}
		count--;
	}
}

static void open_many(struct bed *b, uint32_t count)
{
	open_some(b, false, count);
}

static uint32_t find_any(struct bed *b, bool ipv6, uint32_t n)
{
	struct flows f = flows_of(ipv6, 0);
	uint8_t dir;

	return flows_find(b, &f, n, &dir);
}

static uint32_t find(struct bed *b, uint32_t n)
{
	return find_any(b, false, n);
}

static void write_from(struct bed *b)
{
	b->slot.worker.checkpoint_read = 1;
	assert_int_equal(checkpoint_write(&b->worker), 0);
}

/* Of CPU time, which a busy machine does not change as much. */
static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void many(void **state)
{
	struct bed *from = new_bed(2, 131072), *to = new_bed(2, 131072);
	double began;

	(void)state;
	open_many(from, MANY);
	open_some(from, true, MANY6);
	conn_close(&from->worker, &from->worker.conns,
		   conn_core(&from->worker.conns, find(from, is_ours(from, false, 0) ? 0 : 1)));
	began = seconds();
	write_from(from);
	print_message("%u connections written in %.3f s\n", MANY + MANY6 - 1, seconds() - began);
	/* another tick, as after a boot, and the private half of the index differs */
	to->worker.clock.tick = 700;
	began = seconds();
	checkpoint_read(&to->worker);
	print_message("taken up in %.3f s\n", seconds() - began);
	assert_true(seconds() - began < 1);
	assert_int_equal(conn_count(&to->worker.conns), MANY - 1);
	assert_int_equal(conn_count(&to->worker.conns6), MANY6);
	assert_int_equal(to->slot.backend_stats[5].active, MANY + MANY6 - 1);
	for (uint32_t n = 0; n < 2 * MANY; n++) {
		uint32_t was = find(from, n), is = find(to, n);

		assert_int_equal(was == FLOWS_NONE, is == FLOWS_NONE);
		if (is == FLOWS_NONE)
			continue;
		assert_memory_equal(to->slot.conns.entry[is].key, from->slot.conns.entry[was].key,
				    sizeof(to->slot.conns.entry[is].key));
		assert_memory_equal(to->slot.conns.entry[is].core.l4_delta,
				    from->slot.conns.entry[was].core.l4_delta, 4);
	}
	for (uint32_t n = 0; n < 2 * MANY6; n++) {
		uint32_t was = find_any(from, true, n), is = find_any(to, true, n);

		assert_int_equal(was == FLOWS_NONE, is == FLOWS_NONE);
		if (is == FLOWS_NONE)
			continue;
		assert_memory_equal(to->slot.conns6.entry6[is].key,
				    from->slot.conns6.entry6[was].key,
				    sizeof(to->slot.conns6.entry6[is].key));
		assert_memory_equal(to->slot.conns6.entry6[is].core.l4_delta,
				    from->slot.conns6.entry6[was].core.l4_delta, 4);
	}
	assert_int_not_equal(access(file, F_OK), 0);
	bed_free(from);
	bed_free(to);
}

/* New connections get ports that no old one has. */
static void ports_after(void **state)
{
	struct bed *from = new_bed(2, 4096), *to = new_bed(2, 65536);
	static uint8_t seen[65536];
	struct flows f = flows_of(false, 0);
	uint32_t taken = 0;
	uint16_t pool, port;

	(void)state;
	open_many(from, 1000);
	write_from(from);
	checkpoint_read(&to->worker);
	for (uint32_t i = 0; i < 65536; i++)
		if (to->slot.conns.check[i])
			seen[rte_be_to_cpu_16(to->slot.conns.entry[i].key[SL_DIR_OUT].dport)]++;
	for (; (port = local_port_take(&to->worker, &snapshot.local[0],
				       local_port_group(&f.backend.addr), &pool));
	     taken++)
		assert_int_equal(seen[port]++, 0);
	assert_int_equal(taken + 1000, to->slot.ports_per_pool);
	bed_free(from);
	bed_free(to);
}

/* What is no longer configured, or whose time is over, is left out. */
static void some(void **state)
{
	struct bed *from = new_bed(1, 1024), *to = new_bed(1, 8);

	(void)state;
	open_many(from, 6);
	from->slot.conns.entry[find(from, 0)].core.backend = SL_REF(5, 2);
	from->slot.conns.entry[find(from, 1)].core.virtual_server = SL_REF(0xfffff, 1);
	from->slot.conns.entry[find(from, 2)].key[SL_DIR_OUT].daddr ^= 1;
	from->slot.conns.entry[find(from, 3)].core.last_seen -= 60 * SL_TICK_HZ;
	from->slot.conns.entry[find(from, 4)].core.port_pool = UINT16_MAX;
	write_from(from);
	to->worker.clock.tick = 10000;
	checkpoint_read(&to->worker);
	assert_int_equal(conn_count(&to->worker.conns), 1);
	assert_int_not_equal(find(to, 5), FLOWS_NONE);
	checkpoint_read(&to->worker); /* once only */
	assert_int_equal(conn_count(&to->worker.conns), 1);
	bed_free(from);
	bed_free(to);
}

/* FullNAT64 comes back as it was; an entry whose addresses and mode differ is left out. */
static void translated(void **state)
{
	struct bed *from = new_bed(1, 1024), *to = new_bed(1, 1024);
	struct flows f = flows64_of(0), six = flows_of(true, EACH), four = flows_of(false, 0);
	uint32_t at, was, is;
	uint8_t dir;

	(void)state;
	for (uint32_t n = 0; n < 10; n++)
		assert_int_equal(flows_open(from, &f, n, &at), 0);
	assert_int_equal(flows_open(from, &six, 10, &at), 0);
	from->slot.conns6.entry6[at].core.flags = SL_MODE_FULLNAT64;
	assert_int_equal(flows_open(from, &four, 11, &at), 0);
	from->slot.conns.entry[at].core.flags = SL_MODE_FULLNAT64;
	from->slot.conns6.entry6[flows_find(from, &f, 0, &dir)].core.flags = SL_MODE_FULLNAT;
	write_from(from);
	checkpoint_read(&to->worker);
	assert_int_equal(conn_count(&to->worker.conns), 0);
	assert_int_equal(conn_count(&to->worker.conns6), 9);
	for (uint32_t n = 1; n < 10; n++) {
		was = flows_find(from, &f, n, &dir);
		is = flows_find(to, &f, n, &dir);
		assert_int_not_equal(is, FLOWS_NONE);
		assert_memory_equal(to->slot.conns6.entry6[is].core.l4_delta,
				    from->slot.conns6.entry6[was].core.l4_delta, 4);
		assert_int_equal(flows_find_reply(to, &f, is, &dir), is);
		assert_int_equal(dir, SL_DIR_OUT);
	}
	bed_free(from);
	bed_free(to);
}

static void refuse(struct bed *from, struct bed *to)
{
	unlink(refused);
	write_from(from);
	to->slot.worker.checkpoint_read = 0;
	checkpoint_read(&to->worker);
	assert_int_equal(conn_count(&to->worker.conns), 0);
	assert_int_equal(access(refused, F_OK), 0);
	assert_int_not_equal(access(file, F_OK), 0);
}

static void foreign(void **state)
{
	struct bed *from = new_bed(1, 1024), *to = new_bed(1, 1024);

	(void)state;
	open_many(from, 10);
	to->root.seed++;
	refuse(from, to);
	to->root.seed--;
	to->worker.n_workers = 2;
	refuse(from, to);
	bed_free(from);
	bed_free(to);
}

/* Any byte altered, any length cut: nothing is taken up, nothing breaks. */
static void damaged(void **state)
{
	struct bed *from = new_bed(1, 1024), *to = new_bed(1, 1024);
	struct stat st;
	uint8_t byte;
	int fd;

	(void)state;
	open_many(from, 3);
	open_some(from, true, 1);
	write_from(from);
	assert_int_equal(stat(file, &st), 0);
	for (off_t i = 0; i < 2 * st.st_size; i++) {
		write_from(from);
		fd = open(file, O_RDWR);
		if (i < st.st_size) {
			assert_int_equal(pread(fd, &byte, 1, i), 1);
			byte ^= 0x10;
			assert_int_equal(pwrite(fd, &byte, 1, i), 1);
		} else {
			assert_int_equal(ftruncate(fd, i - st.st_size), 0);
		}
		close(fd);
		to->slot.worker.checkpoint_read = 0;
		checkpoint_read(&to->worker);
		assert_int_equal(conn_count(&to->worker.conns), 0);
		assert_int_equal(conn_count(&to->worker.conns6), 0);
		assert_int_not_equal(access(file, F_OK), 0);
	}
	bed_free(from);
	bed_free(to);
}

/* Who was ended before its first snapshot leaves what is there to the next. */
static void not_read_yet(void **state)
{
	struct bed *from = new_bed(1, 1024), *between = new_bed(1, 1024), *to = new_bed(1, 1024);

	(void)state;
	open_many(from, 10);
	write_from(from);
	assert_int_equal(checkpoint_write(&between->worker), 0);
	checkpoint_read(&to->worker);
	assert_int_equal(conn_count(&to->worker.conns), 10);
	bed_free(from);
	bed_free(between);
	bed_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many),       cmocka_unit_test(ports_after),
		cmocka_unit_test(some),       cmocka_unit_test(foreign),
		cmocka_unit_test(damaged),    cmocka_unit_test(not_read_yet),
		cmocka_unit_test(translated),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
