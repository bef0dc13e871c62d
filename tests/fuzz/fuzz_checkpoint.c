/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checkpoints of connections. First byte: bit 0 makes the header right (checksums, seed, counts),
 * so that the entries are looked at; bit 1 makes them of what is configured, bit 2 those of IPv6.
 * The header's bytes and the entries follow. Whatever was taken up can be found in both directions,
 * and ends with time.
 */
#include "tests/fuzz/lib/fuzz.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_hash_crc.h>

#include "secondary/checkpoint.h"
#include "secondary/local_port.h"
#include "tests/unit/lib/bed.h"

#define HEADER   64 /* as in secondary/checkpoint.c */
#define CAPACITY 64
#define BUCKETS  32
#define BACKENDS 6

static char directory[] = "/tmp/sluice-fuzz-XXXXXX";
static char path[64];
static uint8_t good[HEADER]; /* a header that this bed takes */

static struct bed *new_bed(void)
{
	struct bed *b = bed_new(1, CAPACITY, BUCKETS);
	struct sl_backend *backend;

	snprintf(b->root.runtime_dir, sizeof(b->root.runtime_dir), "%s", directory);
	bed_serve(b, BACKENDS);
	backend = (struct sl_backend *)((char *)b->served + b->served->backends.offset);
	for (uint32_t i = 0; i < BACKENDS; i++)
		backend[i].mode = (uint8_t)(i % SL_MODE_MAX);
	return b;
}

static void free_bed(struct bed *b)
{
	free(b->worker.neighs.head);
	free(b->worker.neighs.next);
	bed_free(b);
}

static void remove_all(void)
{
	char name[96];

	unlink(path);
	snprintf(name, sizeof(name), "%s.refused", path);
	unlink(name);
	snprintf(name, sizeof(name), "%s/checkpoint", directory);
	rmdir(name);
	rmdir(directory);
}

/* A bed's memory is used again at once, which makes each input several times as quick. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct bed *b;
	FILE *file;

	(void)argc;
	(void)argv;
	FUZZ_CHECK(mkdtemp(directory), "a directory");
	snprintf(path, sizeof(path), "%s/checkpoint/worker-0", directory);
	atexit(remove_all);
	b = new_bed();
	b->slot.worker.checkpoint_read = 1;
	FUZZ_CHECK(!checkpoint_write(&b->worker), "cannot be written");
	file = fopen(path, "re");
	FUZZ_CHECK(file && fread(good, sizeof(good), 1, file) == 1, "cannot be read");
	fclose(file);
	free_bed(b);
	return 0;
}

/* What is left to chance are the tuples, the state and the times. */
static void make_ours(struct sl_conn *e)
{
	uint32_t backend = SL_REF_ID(e->core.backend) % BACKENDS;
	uint8_t mode = (uint8_t)(backend % SL_MODE_MAX), tcp = e->key[SL_DIR_IN].proto & 1;

	e->core.virtual_server = SL_REF(!tcp, 1);
	e->core.backend = SL_REF(backend, 1);
	e->core.flags = sl_mode_flags[mode];
	e->key[SL_DIR_IN].proto = e->key[SL_DIR_OUT].proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	e->core.port_pool = (uint16_t)(backend % 2);
	if (mode == SL_MODE_FULLNAT) {
		e->key[SL_DIR_OUT].daddr = inet_addr("198.51.100.10");
	} else if (mode == SL_MODE_NAT) {
		e->key[SL_DIR_OUT].daddr = e->key[SL_DIR_IN].saddr;
		e->key[SL_DIR_OUT].dport = e->key[SL_DIR_IN].sport;
	}
}

static void put_right(uint8_t *bytes, size_t len, unsigned int family, size_t size)
{
	uint32_t count[2] = {0}, crc;

	count[family] = (uint32_t)((len - HEADER) / size);
	memcpy(bytes, good, 20); /* its times are the input's */
	memcpy(bytes + 32, good + 32, 16);
	memcpy(bytes + 48, count, sizeof(count));
	crc = rte_hash_crc(bytes + HEADER, len - HEADER, 0);
	memcpy(bytes + 56, &crc, sizeof(crc));
	crc = rte_hash_crc(bytes, HEADER - sizeof(crc), 0);
	memcpy(bytes + HEADER - sizeof(crc), &crc, sizeof(crc));
}

static size_t make_right(uint8_t *bytes, size_t len, uint8_t how)
{
	unsigned int family = how >> 2 & 1;
	size_t size = family ? sizeof(struct sl_conn6) : sizeof(struct sl_conn);

	len -= (len - HEADER) % size;
	for (size_t at = HEADER; how & 2 && !family && at < len; at += size) {
		struct sl_conn e;

		memcpy(&e, bytes + at, sizeof(e));
		make_ours(&e);
		memcpy(bytes + at, &e, sizeof(e));
	}
	put_right(bytes, len, family, size);
	return len;
}

static void write_file(const uint8_t *data, size_t len, uint8_t how)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint8_t *bytes = malloc(len + 1);

	FUZZ_CHECK(fd >= 0 && bytes, "%s", path);
	memcpy(bytes, data, len);
	if (how & 1 && len >= HEADER)
		len = make_right(bytes, len, how);
	FUZZ_CHECK(write(fd, bytes, len) == (ssize_t)len, "%s", path);
	close(fd);
	free(bytes);
}

static void check_found(struct bed *b)
{
	const struct conn_table *t = &b->worker.conns;
	uint32_t open = 0;

	for (uint32_t i = 0; i < CAPACITY; i++) {
		struct sl_conn *e = &((struct sl_conn *)t->entry)[i];

		if (!t->check[i])
			continue;
		open++;
		for (int dir = 0; dir <= !(e->core.flags & SL_CONN_F_DIRECT); dir++) {
			struct sl_tuple key = e->key[dir];
			uint64_t k[2];
			uint8_t found;

			memcpy(k, &key, sizeof(k));
			FUZZ_CHECK(conn_find(t, k, conn_tuple_hash(t, &key), &found) == e,
				   "entry %u is not found by its direction %d", i, dir);
		}
	}
	FUZZ_CHECK(open == conn_count(t), "%u connections, %u counted", open, conn_count(t));
}

static void check_ends(struct bed *b)
{
	struct worker *w = &b->worker;

	for (int hour = 0; hour < 400 && conn_count(&w->conns) + conn_count(&w->conns6); hour++) {
		w->clock.tick += 3600 * SL_TICK_HZ;
		w->clock.ns += 3600 * UINT64_C(1000000000);
		for (int i = 0; i < 4 || conn_sweep_behind(w); i++)
			conn_sweep(w);
	}
	FUZZ_CHECK(!conn_count(&w->conns), "%u connections do not end", conn_count(&w->conns));
	FUZZ_CHECK(!conn_count(&w->conns6), "%u do not end", conn_count(&w->conns6));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bed *b;

	if (!len)
		return 0;
	write_file(data + 1, len - 1, data[0]);
	b = new_bed();
	checkpoint_read(&b->worker);
	check_found(b);
	check_ends(b);
	free_bed(b);
	return 0;
}
