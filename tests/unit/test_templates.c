/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Persistence: the table of templates against a naive model, the choice by it, and workers that
 * open for one client at the same time, as threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "primary/templates.h"
#include "secondary/choose.h"
#include "secondary/claims.h"
#include "secondary/conn.h"
#include "secondary/persist.h"
#include "secondary/template.h"
#include "secondary/template_file.h"
#include "tests/unit/lib/bed.h"
#include "tests/unit/lib/flows.h"

#define WORKERS  4
#define BACKENDS 5
#define TIMEOUT  (10 * SL_TICK_HZ)

static struct bed *bed[WORKERS];
static struct sl_template_bucket *own_table[WORKERS];
static struct sl_virtual_server *vs;
static struct sl_backend *backend;

static const struct sl_addr all_bits = {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};

/* Workers that see each other, one snapshot, one table; rr, so that each would choose another. */
static void begin(unsigned int workers)
{
	for (unsigned int i = 0; i < workers; i++) {
		bed[i] = bed_new(workers, 64, 32);
		bed[i]->worker.id = i;
		own_table[i] = bed[i]->root.templates.bucket;
		bed[i]->root.templates = bed[0]->root.templates;
	}
	bed_serve(bed[0], BACKENDS);
	for (unsigned int i = 0; i < workers; i++)
		for (unsigned int k = 0; k < workers; k++)
			bed[i]->root.worker[k] = &bed[k]->slot;
	vs = (struct sl_virtual_server *)((char *)bed[0]->served +
					  bed[0]->served->virtual_servers.offset);
	backend = (struct sl_backend *)((char *)bed[0]->served + vs->backends.offset);
	vs->persistent = true;
	/* behind the rest, where there are zeros: the server of id 0 stands at 0 */
	bed[0]->served->persistent_servers = (struct sl_span){bed[0]->served->size, 1};
	vs->persistence.timeout = TIMEOUT;
	vs->persistence.mask[0] = vs->persistence.mask[1] = all_bits;
	for (unsigned int i = 0; i < workers; i++) {
		bed[i]->worker.snapshot = bed[0]->served;
		bed[i]->slot.cursor[SL_REF_ID(vs->ref)] = i;
	}
	srandom(6);
}

static void end(unsigned int workers)
{
	for (unsigned int i = 0; i < workers; i++) {
		bed[i]->root.templates.bucket = own_table[i];
		bed_free(bed[i]);
	}
}

static uint32_t choose(unsigned int worker, uint32_t client)
{
	const struct choose_packet p = {.client = sl_addr_of_v4(htonl(client))};
	uint32_t pick = UINT32_MAX;
	enum sl_drop_reason why = choose_backend(&bed[worker]->worker, vs, &p, &pick);

	return why == CHOOSE_DONE ? pick : UINT32_MAX;
}

static void pass(unsigned int workers, uint32_t ticks)
{
	for (unsigned int i = 0; i < workers; i++)
		bed[i]->worker.clock.tick += ticks;
}

/* ---- the table ---- */

static void table_against_a_model(void **state)
{
	static struct sl_template_bucket bucket[16];
	const struct sl_templates t = {bucket, 15};
	static struct sl_template model[16][SL_TEMPLATES_IN_BUCKET];
	uint32_t now = 1000;

	(void)state;
	srandom(1);
	for (int i = 0; i < 200000; i++, now += random() % 3 == 0) {
		uint64_t key = 1 + (uint64_t)(random() % 160);
		struct sl_template *m = model[key & 15], *at = &m[0];
		struct sl_template next = {key, (uint32_t)random(), now + 1 + random() % 200};
		struct template_look look;
		bool have = false;

		for (int k = 0; k < SL_TEMPLATES_IN_BUCKET && !have; k++) {
			have = m[k].key == key;
			/* empty, then expired, then what expires first */
			if (have || (m[k].expires > now ? m[k].expires : 1u * !!m[k].key) <
					    (at->expires > now ? at->expires : 1u * !!at->key))
				at = &m[k];
		}
		template_look(&t, key, now, &look);
		assert_int_equal(look.found, have && at->expires > now);
		assert_memory_equal(&look.was, at, sizeof(*at));
		assert_int_equal(template_put(&t, &look, &next, false), TEMPLATE_PUT);
		*at = next;
		assert_memory_equal(bucket[key & 15].template, m, sizeof(model[0]));
	}
}

/* Another worker wrote there: nothing is written over it. */
static void late_is_lost(void **state)
{
	static struct sl_template_bucket bucket[1];
	const struct sl_templates t = {bucket, 0};
	const struct sl_template first = {7, 1, 100}, second = {7, 2, 100};
	struct template_look a, b;

	(void)state;
	template_look(&t, 7, 1, &a);
	template_look(&t, 7, 1, &b);
	assert_int_equal(template_put(&t, &a, &first, false), TEMPLATE_PUT);
	assert_int_equal(template_put(&t, &b, &second, false), TEMPLATE_LOST);
	template_look(&t, 7, 1, &b);
	assert_true(b.found && b.was.backend == 1);
}

/* It found another place, because one expired meanwhile: it takes its own back. */
static void twin_takes_itself_back(void **state)
{
	static struct sl_template_bucket bucket[1];
	const struct sl_templates t = {bucket, 0};
	const struct sl_template first = {7, 1, 100}, second = {7, 2, 100}, none = {0};
	struct template_look a, b;

	(void)state;
	template_look(&t, 7, 1, &a);
	b = a;
	b.at++;
	assert_int_equal(template_put(&t, &a, &first, false), TEMPLATE_PUT);
	assert_int_equal(template_put(&t, &b, &second, false), TEMPLATE_LOST);
	assert_memory_equal(b.at, &none, sizeof(none));
	template_look(&t, 7, 1, &b);
	assert_true(b.found && b.was.backend == 1);
}

/* ---- the choice ---- */

static void same_client_same_backend(void **state)
{
	uint32_t first[40], used[BACKENDS] = {0};

	(void)state;
	begin(WORKERS);
	for (uint32_t c = 0; c < 40; c++)
		used[first[c] = choose(c % WORKERS, c)]++;
	for (int i = 0; i < BACKENDS; i++)
		assert_int_not_equal(used[i], 0);
	for (int round = 0; round < 5; round++) {
		pass(WORKERS, TIMEOUT - 1); /* each round starts it again */
		for (uint32_t c = 0; c < 40; c++)
			assert_int_equal(choose((unsigned int)random() % WORKERS, c), first[c]);
	}
	pass(WORKERS, TIMEOUT);
	memset(used, 0, sizeof(used));
	for (uint32_t c = 0; c < 40; c++)
		used[0] += choose(0, c) == first[c];
	assert_in_range(used[0], 0, 39); /* chosen anew */
	assert_int_equal(bed[0]->slot.stats.templates_replaced, 0);
	end(WORKERS);
}

static void networks(void **state)
{
	(void)state;
	begin(1);
	vs->persistence.mask[0].w[3] = htonl(0xffffff00);
	for (uint32_t net = 0; net < 30; net++) {
		uint32_t first = choose(0, net << 8);

		for (uint32_t host = 1; host < 256; host += 50)
			assert_int_equal(choose(0, net << 8 | host), first);
	}
	end(1);
}

static void drained_and_removed(void **state)
{
	uint32_t at;

	(void)state;
	begin(2);
	at = choose(0, 1);
	backend[at].weight = 0;
	assert_int_equal(choose(1, 1), at); /* keeps its clients */
	vs->persistence.leaves_drained = true;
	assert_int_not_equal(choose(1, 1), at);
	at = choose(0, 1); /* and stays with the new one */
	assert_int_equal(choose(1, 1), at);
	backend[at].ref += 1; /* another generation: what the template says is gone */
	assert_true(choose(0, 2) < BACKENDS);
	assert_true(choose(0, 1) < BACKENDS);
	end(2);
}

static void at_its_limit(void **state)
{
	uint32_t at, other;

	(void)state;
	begin(2);
	at = choose(0, 1);
	backend[at].max_connections = 2;
	backend[at].resume = 100;
	assert_int_equal(choose(1, 1), at);
	other = choose(0, 1);
	assert_true(other < BACKENDS && other != at);
	assert_int_equal(choose(1, 1), other);
	assert_int_equal(claims_read(&bed[0]->slot.backend_claims[at], backend[at].ref) +
				 claims_read(&bed[1]->slot.backend_claims[at], backend[at].ref),
			 2);
	end(2);
}

/* Nobody has a backend for it: no template is left. */
static void no_backend(void **state)
{
	static const struct sl_template_bucket empty;

	(void)state;
	begin(1);
	for (int i = 0; i < BACKENDS; i++)
		backend[i].weight = 0;
	assert_int_equal(choose(0, 1), UINT32_MAX);
	for (uint32_t i = 0; i <= bed[0]->root.templates.bucket_mask; i++)
		assert_memory_equal(&bed[0]->root.templates.bucket[i], &empty, sizeof(empty));
	end(1);
}

/* ---- workers that race ---- */

#define ROUNDS 4000

static pthread_barrier_t together;
static uint32_t picked[WORKERS];
static uint32_t differed;

/* Clients share few buckets, and expire at different times: places change hands meanwhile. */
static void *race(void *arg)
{
	unsigned int id = (unsigned int)(uintptr_t)arg;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&together);
		picked[id] = choose(id, 1000 + round % 97);
		pthread_barrier_wait(&together);
		claims_release(&bed[id]->worker, vs->ref, backend[picked[id]].ref);
		for (unsigned int k = 0; k < WORKERS && id == 0; k++)
			differed += picked[k] != picked[0];
		if (id == 0)
			pass(WORKERS, round % 7 == 0 ? TIMEOUT / 2 : 1);
	}
	return NULL;
}

static void one_client_one_backend_when_workers_race(void **state)
{
	pthread_t thread[WORKERS];

	(void)state;
	begin(WORKERS);
	for (unsigned int i = 0; i < WORKERS; i++)
		bed[i]->root.templates.bucket_mask = 15;
	differed = 0;
	pthread_barrier_init(&together, NULL, WORKERS);
	for (uintptr_t i = 0; i < WORKERS; i++)
		pthread_create(&thread[i], NULL, race, (void *)i);
	for (unsigned int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&together);
	assert_int_equal(differed, 0);
	for (uint32_t b = 0; b < BACKENDS; b++)
		for (unsigned int i = 0; i < WORKERS; i++)
			assert_int_equal(
				claims_read(&bed[i]->slot.backend_claims[b], backend[b].ref), 0);
	end(WORKERS);
}

/* ---- time ---- */

/* A connection of one client; its template is there as long as it. */
static void lasts_as_long_as_a_connection(void **state)
{
	struct flows f = flows_of(false, 0);
	struct conn_new c;
	uint32_t at, first, client;

	(void)state;
	begin(1);
	c = flows_new(bed[0], &f, 3);
	client = ntohl(c.key[SL_DIR_IN].saddr);
	first = choose(0, client);
	c.virtual_server = vs->ref;
	c.backend = backend[first].ref;
	c.state = SL_CONN_ESTABLISHED;
	c.flags = sl_mode_flags[SL_MODE_DR];
	assert_int_equal(conn_open(&bed[0]->worker, &bed[0]->worker.conns, &c, &at), 0);
	persist_opened(&bed[0]->worker, &bed[0]->worker.conns, at);
	bed_pass(bed[0], 5 * TIMEOUT);
	assert_int_not_equal(bed[0]->slot.conns.check[at], 0);
	bed[0]->slot.cursor[SL_REF_ID(vs->ref)] = first + 1;
	assert_int_equal(choose(0, client), first);
	conn_close(&bed[0]->worker, &bed[0]->worker.conns, conn_core(&bed[0]->worker.conns, at));
	bed_pass(bed[0], TIMEOUT + SL_TICK_HZ);
	bed[0]->slot.cursor[SL_REF_ID(vs->ref)] = first + 1;
	assert_int_not_equal(choose(0, client), first);
	end(1);
}

/* ---- the file ---- */

static char dir[] = "/tmp/sluice-templates-XXXXXX";

static void file_path(char path[64], const char *suffix)
{
	snprintf(path, 64, "%s/%s%s", dir, SL_TEMPLATE_FILE_NAME, suffix);
}

/* Another appliance after a restart: nothing of the table is left but the file. */
static void restart(void)
{
	struct sl_templates *t = &bed[0]->root.templates;

	memset(t->bucket, 0, (t->bucket_mask + 1) * sizeof(*t->bucket));
	templates_load(&bed[0]->root);
	clock_init(&bed[0]->worker.clock);
}

static void across_a_restart(void **state)
{
	uint32_t first[40], same = 0;
	char path[64];

	(void)state;
	begin(1);
	assert_non_null(mkdtemp(dir));
	snprintf(bed[0]->root.runtime_dir, sizeof(bed[0]->root.runtime_dir), "%s", dir);
	for (uint32_t c = 0; c < 40; c++)
		first[c] = choose(0, c);
	template_file_write(&bed[0]->worker);
	restart();
	file_path(path, "");
	assert_int_not_equal(access(path, F_OK), 0);
	for (uint32_t c = 0; c < 40; c++)
		same += choose(0, c) == first[c];
	assert_int_equal(same, 40);
	template_file_write(&bed[0]->worker);
	assert_int_equal(truncate(path, 100), 0);
	restart();
	file_path(path, ".refused");
	assert_int_equal(unlink(path), 0);
	for (uint32_t i = 0; i <= bed[0]->root.templates.bucket_mask; i++)
		for (int k = 0; k < SL_TEMPLATES_IN_BUCKET; k++)
			assert_int_equal(bed[0]->root.templates.bucket[i].template[k].key, 0);
	snprintf(path, sizeof(path), "%s/checkpoint", dir);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
	end(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_against_a_model),
		cmocka_unit_test(late_is_lost),
		cmocka_unit_test(twin_takes_itself_back),
		cmocka_unit_test(same_client_same_backend),
		cmocka_unit_test(networks),
		cmocka_unit_test(drained_and_removed),
		cmocka_unit_test(at_its_limit),
		cmocka_unit_test(no_backend),
		cmocka_unit_test(one_client_one_backend_when_workers_race),
		cmocka_unit_test(lasts_as_long_as_a_connection),
		cmocka_unit_test(across_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
