/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The choice of a backend: each scheduler against what it promises, limits with workers that race.
 * Workers here are slots of plain memory that see one another through the root, as in shared
 * memory.
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

#include "secondary/choose.h"
#include "secondary/claims.h"
#include "secondary/quiescent.h"
#include "secondary/ramp.h"
#include "tests/unit/lib/bed.h"

#define WORKERS  4
#define BACKENDS 64

static struct bed *bed[WORKERS];
static struct sl_virtual_server *vs;
static struct sl_backend *backend;

/* Workers that see each other, and one snapshot. */
static void begin(unsigned int workers, unsigned int backends, enum sl_scheduler scheduler)
{
	for (unsigned int i = 0; i < workers; i++) {
		bed[i] = bed_new(workers, 64, 32);
		bed[i]->worker.id = i;
	}
	bed_serve(bed[0], backends);
	for (unsigned int i = 0; i < workers; i++)
		for (unsigned int k = 0; k < workers; k++)
			bed[i]->root.worker[k] = &bed[k]->slot;
	for (unsigned int i = 1; i < workers; i++)
		bed[i]->worker.snapshot = bed[0]->served;
	vs = (struct sl_virtual_server *)((char *)bed[0]->served +
					  bed[0]->served->virtual_servers.offset);
	backend = (struct sl_backend *)((char *)bed[0]->served + vs->backends.offset);
	vs->scheduler = scheduler;
	srandom(5);
}

static void end(unsigned int workers)
{
	for (unsigned int i = 0; i < workers; i++)
		bed_free(bed[i]);
}

static const struct choose_packet nobody = {.client = SL_ADDR_V4(0x0100000a)};

static uint32_t choose(unsigned int worker)
{
	uint32_t pick = UINT32_MAX;
	enum sl_drop_reason why = choose_backend(&bed[worker]->worker, vs, &nobody, &pick);

	if (why != CHOOSE_DONE)
		fail_msg("dropped: %s", sl_drop_texts[why].name);
	return pick;
}

static void finish(unsigned int worker, uint32_t pick)
{
	claims_release(&bed[worker]->worker, vs->ref, backend[pick].ref);
}

static uint32_t have(unsigned int workers, uint32_t i)
{
	uint32_t n = 0;

	for (unsigned int k = 0; k < workers; k++)
		n += claims_read(&bed[k]->slot.backend_claims[SL_REF_ID(backend[i].ref)],
				 backend[i].ref);
	return n;
}

/* ---- least connections ---- */

/* From nothing, whichever worker opens: never one connection or more from its share. */
static void grow(unsigned int workers, unsigned int n, uint32_t total, bool weighted)
{
	uint64_t weights = 0;

	for (uint32_t i = 0; i < n; i++)
		weights += backend[i].weight;
	for (uint32_t k = 1; k <= total; k++) {
		choose((unsigned int)random() % workers);
		for (uint32_t i = 0; i < n; i++) {
			double share = (double)k * backend[i].weight / (double)weights;
			double away = have(workers, i) - share;

			if (away >= 1 || away <= -1)
				fail_msg("%s, %u workers, %u backends: after %u connections "
					 "backend %u "
					 "of weight %u has %u, its share is %f",
					 weighted ? "wlc" : "lc", workers, n, k, i,
					 backend[i].weight, have(workers, i), share);
		}
	}
}

static void lc_within_one(void **state)
{
	(void)state;
	for (unsigned int workers = 1; workers <= WORKERS; workers++)
		for (unsigned int n = 1; n <= BACKENDS; n = n * 3 + 1) {
			begin(workers, n, SL_SCHED_LC);
			grow(workers, n, 300, false);
			end(workers);
		}
}

static void wlc_within_one(void **state)
{
	(void)state;
	for (unsigned int workers = 1; workers <= WORKERS; workers++)
		for (int round = 0; round < 12; round++) {
			unsigned int n = 2 + (unsigned int)random() % (BACKENDS - 1);

			begin(workers, n, SL_SCHED_WLC);
			srandom((unsigned int)round);
			for (uint32_t i = 0; i < n; i++)
				backend[i].weight =
					(uint16_t)(1 + random() % (round % 2 ? 8 : 300));
			if (round % 3 == 0)
				backend[n / 2].weight = 1000;
			if (round % 4 == 0)
				backend[0].weight = 0;
			grow(workers, n, 300, true);
			end(workers);
		}
}

/* With connections that end, too: a new one goes to a backend with the fewest. */
static void lc_takes_the_least(void **state)
{
	enum { N = 12, OPEN = 600 };
	struct {
		unsigned int worker;
		uint32_t pick;
	} open[OPEN];
	uint32_t n = 0;

	(void)state;
	begin(WORKERS, N, SL_SCHED_LC);
	for (int step = 0; step < 20000; step++) {
		unsigned int worker = (unsigned int)random() % WORKERS;
		uint32_t least = UINT32_MAX;

		if (n && (n == OPEN || random() % 2)) {
			uint32_t k = (uint32_t)random() % n;

			finish(open[k].worker, open[k].pick);
			open[k] = open[--n];
			continue;
		}
		for (uint32_t i = 0; i < N; i++)
			least = RTE_MIN(least, have(WORKERS, i));
		open[n].worker = worker;
		open[n].pick = choose(worker);
		assert_int_equal(have(WORKERS, open[n].pick), least + 1);
		n++;
	}
	end(WORKERS);
}

/* ---- with workers that race ---- */

struct racer {
	pthread_t thread;
	unsigned int worker;
	uint32_t steps;
	uint32_t opened, refused;
	unsigned int seed;
};

static pthread_barrier_t start;

static void race_all(struct racer *r, void *(*race)(void *), uint32_t steps)
{
	pthread_barrier_init(&start, NULL, WORKERS);
	for (unsigned int i = 0; i < WORKERS; i++) {
		r[i] = (struct racer){.worker = i, .steps = steps, .seed = i + 1};
		assert_int_equal(pthread_create(&r[i].thread, NULL, race, &r[i]), 0);
	}
	for (unsigned int i = 0; i < WORKERS; i++)
		pthread_join(r[i].thread, NULL);
	pthread_barrier_destroy(&start);
}

/*
 * Who holds a connection counted itself before it read: at no time do the four hold more than the
 * limit. Each looks, from within, at the sum of what all hold for certain.
 */
static uint32_t held[BACKENDS], held_most, held_server, held_server_most;

static void *race_limits(void *arg)
{
	struct racer *r = arg;
	struct worker *w = &bed[r->worker]->worker;
	uint32_t open[256], n = 0;

	pthread_barrier_wait(&start);
	for (uint32_t step = 0; step < r->steps; step++) {
		uint32_t pick;

		if (n && (n == RTE_DIM(open) || rand_r(&r->seed) % 2)) {
			pick = open[--n];
			__atomic_sub_fetch(&held[pick], 1, __ATOMIC_SEQ_CST);
			__atomic_sub_fetch(&held_server, 1, __ATOMIC_SEQ_CST);
			claims_release(w, vs->ref, backend[pick].ref);
		} else if (choose_backend(w, vs, &nobody, &pick) == CHOOSE_DONE) {
			uint32_t now = __atomic_add_fetch(&held[pick], 1, __ATOMIC_SEQ_CST);
			uint32_t server = __atomic_add_fetch(&held_server, 1, __ATOMIC_SEQ_CST);

			if (now > backend[pick].max_connections)
				__atomic_store_n(&held_most, now, __ATOMIC_RELAXED);
			if (server > vs->max_connections)
				__atomic_store_n(&held_server_most, server, __ATOMIC_RELAXED);
			open[n++] = pick;
			r->opened++;
		} else {
			r->refused++;
		}
	}
	while (n) {
		__atomic_sub_fetch(&held[open[--n]], 1, __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&held_server, 1, __ATOMIC_SEQ_CST);
		claims_release(w, vs->ref, backend[open[n]].ref);
	}
	return NULL;
}

static void limits_hold(void **state)
{
	static const enum sl_scheduler all[] = {SL_SCHED_RR, SL_SCHED_LC, SL_SCHED_WLC};

	(void)state;
	for (size_t s = 0; s < RTE_DIM(all); s++) {
		struct racer r[WORKERS];
		uint32_t opened = 0, refused = 0;

		begin(WORKERS, 3, all[s]);
		memset(held, 0, sizeof(held));
		held_most = held_server = held_server_most = 0;
		for (uint32_t i = 0; i < 3; i++) {
			backend[i].max_connections = 5 + i;
			backend[i].resume = 75;
		}
		vs->max_connections = 16;
		race_all(r, race_limits, 50000);
		for (unsigned int i = 0; i < WORKERS; i++) {
			opened += r[i].opened;
			refused += r[i].refused;
		}
		assert_int_equal(held_most, 0);
		assert_int_equal(held_server_most, 0);
		assert_true(opened > 1000 && refused > 1000);
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(have(WORKERS, i), 0);
		end(WORKERS);
	}
}

static void *race_openings(void *arg)
{
	struct racer *r = arg;
	uint32_t pick;

	pthread_barrier_wait(&start);
	for (uint32_t step = 0; step < r->steps; step++)
		r->opened +=
			choose_backend(&bed[r->worker]->worker, vs, &nobody, &pick) == CHOOSE_DONE;
	return NULL;
}

/* Workers that open at the same time: how far from even they end. */
static void lc_racing(void **state)
{
	struct racer r[WORKERS];
	uint32_t least = UINT32_MAX, most = 0;

	(void)state;
	begin(WORKERS, 10, SL_SCHED_LC);
	race_all(r, race_openings, 30003);
	for (uint32_t i = 0; i < 10; i++) {
		least = RTE_MIN(least, have(WORKERS, i));
		most = RTE_MAX(most, have(WORKERS, i));
	}
	print_message("# lc, 4 workers at once, 10 backends: %u to %u connections\n", least, most);
	assert_int_equal(r[0].opened + r[1].opened + r[2].opened + r[3].opened, 4 * 30003);
	assert_true(most - least <= 1 + WORKERS);
	end(WORKERS);
}

/* ---- limits and marks, one at a time ---- */

static enum sl_drop_reason try_choose(unsigned int worker, uint32_t *pick)
{
	return choose_backend(&bed[worker]->worker, vs, &nobody, pick);
}

/* Up to the limit, then nothing until under the low mark, whichever worker asks or closes. */
static void overload_mark(void **state)
{
	uint32_t pick;

	(void)state;
	begin(2, 1, SL_SCHED_RR);
	backend[0].max_connections = 8;
	backend[0].resume = 50;
	for (int times = 0; times < 3; times++) {
		for (unsigned int k = 0; k < 8; k++)
			choose(k % 2);
		assert_int_equal(try_choose(0, &pick), SL_DROP_BACKEND_LIMIT);
		assert_int_equal(try_choose(1, &pick), SL_DROP_BACKEND_LIMIT);
		for (unsigned int k = 0; k < 4; k++) {
			finish(k % 2, 0);
			assert_int_equal(try_choose(times % 2, &pick), SL_DROP_BACKEND_LIMIT);
		}
		finish(0, 0); /* 3 left, under the mark of 4 */
		choose(!(times % 2));
		choose(times % 2);
		for (unsigned int k = 0; k < 16; k++)
			finish(k % 2, 0); /* all; of none there is no less */
		assert_int_equal(have(2, 0), 0);
	}
	end(2);
}

/* The others take what a full one can't; the reason says when none can. */
static void others_take_over(void **state)
{
	static const enum sl_scheduler all[] = {SL_SCHED_RR, SL_SCHED_WRR, SL_SCHED_MH,
						SL_SCHED_FO, SL_SCHED_LC,  SL_SCHED_WLC};

	(void)state;
	for (size_t s = 0; s < RTE_DIM(all); s++) {
		uint32_t pick;

		begin(1, 5, all[s]);
		vs->hash_key = all[s] == SL_SCHED_MH ? SL_HASH_KEY_SOURCE_IP : SL_HASH_KEY_NONE;
		for (uint32_t i = 0; i < 5; i++) {
			backend[i].max_connections = 2;
			backend[i].resume = 75;
		}
		for (int k = 0; k < 10; k++)
			choose(0);
		for (uint32_t i = 0; i < 5; i++)
			assert_int_equal(have(1, i), 2);
		assert_int_equal(try_choose(0, &pick), SL_DROP_BACKEND_LIMIT);
		for (uint32_t i = 0; i < 5; i++)
			backend[i].weight = 0;
		assert_int_equal(try_choose(0, &pick), SL_DROP_NO_BACKEND);
		end(1);
	}
}

/* One that is rare in the cycle is found, too. */
static void a_rare_one_is_found(void **state)
{
	(void)state;
	begin(1, 2, SL_SCHED_WRR);
	vs->cycle.count = 1; /* only the first is ever picked */
	backend[0].max_connections = 1;
	backend[0].resume = 75;
	assert_int_equal(choose(0), 0);
	assert_int_equal(choose(0), 1);
	end(1);
}

static void server_limit(void **state)
{
	uint32_t pick;

	(void)state;
	begin(2, 3, SL_SCHED_RR);
	vs->max_connections = 4;
	for (unsigned int k = 0; k < 4; k++)
		choose(k % 2);
	assert_int_equal(try_choose(0, &pick), SL_DROP_SERVER_LIMIT);
	assert_int_equal(have(2, 0) + have(2, 1) + have(2, 2), 4);
	finish(1, 1);
	choose(0);
	assert_int_equal(try_choose(1, &pick), SL_DROP_SERVER_LIMIT);
	end(2);
}

/* A count of a backend that had the id before is not the new one's. */
static void former_bearer(void **state)
{
	uint32_t old;

	(void)state;
	begin(2, 1, SL_SCHED_LC);
	backend[0].max_connections = 2;
	backend[0].resume = 100;
	choose(0);
	choose(1);
	old = backend[0].ref;
	backend[0].ref = SL_REF(SL_REF_ID(old), SL_REF_GENERATION(old) + 1);
	choose(0);
	claims_release(&bed[0]->worker, vs->ref, old); /* a late one of the former */
	assert_int_equal(have(2, 0), 1);
	choose(1);
	end(2);
}

/* ---- slow start ---- */

/* Which share of so many connections, open at the same time, a backend gets. */
static double share_of(uint32_t wanted, uint32_t n)
{
	uint32_t *pick = calloc(n, sizeof(*pick)), got = 0;

	for (uint32_t k = 0; k < n; k++) {
		const struct choose_packet p = {.client = sl_addr_of_v4((uint32_t)random())};

		assert_int_equal(choose_backend(&bed[0]->worker, vs, &p, &pick[k]), CHOOSE_DONE);
		got += pick[k] == wanted;
	}
	for (uint32_t k = 0; k < n; k++)
		finish(0, pick[k]);
	free(pick);
	return (double)got / n;
}

static void assert_share(uint32_t wanted, double from, double to)
{
	double share = share_of(wanted, 4000);

	if (share < from || share > to)
		fail_msg("scheduler %u: %f is not in %f..%f", vs->scheduler, share, from, to);
}

/* Another snapshot: the loop goes on until the walk is done. */
static void switch_ramps(void)
{
	struct worker *w = &bed[0]->worker;

	for (ramp_switch(w); w->ramp_walk.pending;)
		ramp_slice(w);
}

/* The last of four comes back: nothing at first, then what is its own, whatever the scheduler. */
static void slow_start(void **state)
{
	static const enum sl_scheduler all[] = {SL_SCHED_RR, SL_SCHED_MH, SL_SCHED_LC,
						SL_SCHED_WLC};

	(void)state;
	for (size_t s = 0; s < RTE_DIM(all); s++) {
		begin(1, 4, all[s]);
		vs->hash_key = all[s] == SL_SCHED_MH ? SL_HASH_KEY_SOURCE_IP : SL_HASH_KEY_NONE;
		vs->slow_start = 100;
		backend[3].weight = 0;
		switch_ramps();
		bed[0]->worker.clock.tick += 1000;
		assert_share(3, 0, 0);
		backend[3].weight = 1;
		switch_ramps();
		assert_share(3, 0, 0.02);
		bed[0]->worker.clock.tick += 50;
		switch_ramps();               /* another configuration does not begin it anew */
		assert_share(3, 0.115, 0.17); /* a half of 3.5 */
		bed_attach(bed[0]);           /* nor another process */
		bed[0]->worker.snapshot = bed[0]->served;
		assert_share(3, 0.115, 0.17);
		bed[0]->worker.clock.tick += 50;
		assert_share(3, 0.215, 0.285);
		end(1);
	}
}

/* Those that are there when it is configured have their shares at once. */
static void slow_start_of_all(void **state)
{
	(void)state;
	begin(1, 4, SL_SCHED_WLC);
	vs->slow_start = 100;
	switch_ramps();
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(ramp_share(&bed[0]->worker, vs, &backend[i]), RAMP_WHOLE);
		assert_share(i, 0.249, 0.251);
	}
	end(1);
}

/* ---- ended with their backend ---- */

/* A table of references by id behind all else of the snapshot. */
static uint32_t *add_table(struct sl_span *span, uint32_t n)
{
	struct sl_snapshot *s = bed[0]->served;
	uint32_t *table = (uint32_t *)((char *)s + s->size);

	*span = (struct sl_span){s->size, n};
	s->size += n * sizeof(*table);
	memset(table, 0xff, n * sizeof(*table));
	return table;
}

static void expire_quiescent(void **state)
{
	struct sl_conn_core e = {0};
	struct sl_snapshot *s;
	struct worker *w;
	uint32_t *taking;

	(void)state;
	begin(1, 3, SL_SCHED_RR);
	w = &bed[0]->worker;
	s = bed[0]->served;
	e.virtual_server = vs->ref;
	e.backend = backend[1].ref;
	assert_false(quiescent_ends(w, &e)); /* not wanted */
	add_table(&s->quiescent_servers, 4)[SL_REF_ID(vs->ref)] = vs->ref;
	taking = add_table(&s->taking_backends, 8);
	taking[SL_REF_ID(backend[2].ref)] = backend[2].ref;
	assert_true(quiescent_ends(w, &e)); /* drained */
	e.backend = backend[2].ref;
	assert_false(quiescent_ends(w, &e));
	e.backend = SL_REF(SL_REF_ID(backend[2].ref), 2);
	assert_true(quiescent_ends(w, &e)); /* another has its id */
	e.backend = SL_REF(40, 1);
	assert_true(quiescent_ends(w, &e)); /* beyond the table */
	e.virtual_server = SL_REF(SL_REF_ID(vs->ref), 2);
	assert_false(quiescent_ends(w, &e)); /* of a server that was removed itself */
	e.virtual_server = SL_REF(9, 1);
	assert_false(quiescent_ends(w, &e));
	end(1);
}

/* ---- fo ---- */

static void failover_order(void **state)
{
	(void)state;
	begin(1, 3, SL_SCHED_FO);
	assert_int_equal(choose(0), 0); /* the bed's list is by position */
	assert_int_equal(choose(0), 0);
	backend[0].max_connections = 3;
	backend[0].resume = 100;
	assert_int_equal(choose(0), 0);
	assert_int_equal(choose(0), 1);
	finish(0, 0);
	assert_int_equal(choose(0), 0);
	end(1);
}

/* ---- what is hashed ---- */

static uint64_t hash_of(uint8_t key, uint32_t addr, uint16_t port, const void *payload, size_t len)
{
	const struct sl_virtual_server server = {.hash_key = key, .quic_id = 8};
	const struct choose_packet p = {.client = sl_addr_of_v4(addr),
					.client_port = port,
					.payload = payload,
					.payload_len = (uint16_t)len};

	return choose_hash(&server, &p);
}

static void source_keys(void **state)
{
	const uint8_t ip = SL_HASH_KEY_SOURCE_IP, port = SL_HASH_KEY_SOURCE_IP_PORT;

	(void)state;
	assert_true(hash_of(ip, 1, 2, NULL, 0) == hash_of(ip, 1, 3, NULL, 0));
	assert_true(hash_of(ip, 1, 2, NULL, 0) != hash_of(ip, 2, 2, NULL, 0));
	assert_true(hash_of(port, 1, 2, NULL, 0) != hash_of(port, 1, 3, NULL, 0));
	assert_true(hash_of(port, 1, 2, NULL, 0) == hash_of(port, 1, 2, NULL, 0));
}

/* Neighbouring addresses, in a table of few entries: as even as chance is. */
static void hash_spreads(void **state)
{
	uint32_t seen[16] = {0};

	(void)state;
	for (uint32_t i = 0; i < 16000; i++)
		seen[hash_of(SL_HASH_KEY_SOURCE_IP, htonl(0x0a000000 + i), 0, NULL, 0) >> 60]++;
	for (int i = 0; i < 16; i++)
		assert_in_range(seen[i], 850, 1150);
}

/* RFC 9000 section 17: the same ID behind a long and a short header, from anywhere. */
static void quic_keys(void **state)
{
	static const uint8_t long_header[] = {0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 99};
	static const uint8_t short_header[] = {0x43, 1, 2, 3, 4, 5, 6, 7, 8, 77, 66};
	static const uint8_t other[] = {0x43, 1, 2, 3, 4, 5, 6, 7, 9, 77, 66};
	static const uint8_t longer[] = {0xc3, 0, 0, 0, 1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0};
	static const uint8_t none[] = {0xc3, 0, 0, 0, 1, 0, 0};
	const uint8_t quic = SL_HASH_KEY_QUIC_CONNECTION_ID;
	uint64_t want = hash_of(quic, 1, 2, short_header, sizeof(short_header));
	uint64_t source = hash_of(SL_HASH_KEY_SOURCE_IP_PORT, 1, 2, NULL, 0);

	(void)state;
	assert_true(hash_of(quic, 9, 9, short_header, sizeof(short_header)) == want);
	assert_true(hash_of(quic, 3, 4, long_header, sizeof(long_header)) == want);
	assert_true(hash_of(quic, 3, 4, longer, sizeof(longer)) ==
		    want); /* its first eight bytes */
	assert_true(hash_of(quic, 1, 2, other, sizeof(other)) != want);
	/* No ID: by source address and port. */
	assert_true(hash_of(quic, 1, 2, none, sizeof(none)) == source);
	assert_true(hash_of(quic, 1, 2, NULL, 0) == source);
	for (size_t len = 1; len < 9; len++)
		assert_true(hash_of(quic, 1, 2, short_header, len) == source);
	for (size_t len = 1; len < 14; len++)
		assert_true(hash_of(quic, 1, 2, long_header, len) == source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lc_within_one),      cmocka_unit_test(wlc_within_one),
		cmocka_unit_test(lc_takes_the_least), cmocka_unit_test(limits_hold),
		cmocka_unit_test(lc_racing),          cmocka_unit_test(overload_mark),
		cmocka_unit_test(others_take_over),   cmocka_unit_test(a_rare_one_is_found),
		cmocka_unit_test(server_limit),       cmocka_unit_test(former_bearer),
		cmocka_unit_test(slow_start),         cmocka_unit_test(slow_start_of_all),
		cmocka_unit_test(expire_quiescent),   cmocka_unit_test(failover_order),
		cmocka_unit_test(source_keys),        cmocka_unit_test(hash_spreads),
		cmocka_unit_test(quic_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
