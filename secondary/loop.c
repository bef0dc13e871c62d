/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's loop. A turn: messages, then a burst from each redirect ring and each
 * port through the stages, then transmit, then slices of slow work. Nothing in it logs,
 * allocates, locks or waits; idle turns sleep by the root's policy.
 */
#include "secondary/loop.h"

#include <time.h>

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_prefetch.h>

#include "secondary/burst.h"
#include "secondary/command.h"
#include "secondary/drain.h"
#include "secondary/fragment_table.h"
#include "secondary/profile.h"
#include "secondary/ramp.h"
#include "secondary/repair.h"
#include "secondary/worker.h"

/*
 * Sleeping when nothing comes, by how long nothing came (all in ns). At first not at all; then a
 * 32nd of the silence, so that the first packet waits for little more than the pause before
 * it; from 3 ms on 0.1 ms, which is the added latency at ten packets a second and
 * more; and after longer silence a thousandth of it, up to 1 ms, so that a worker with
 * nothing to do costs next to nothing.
 */
#define IDLE_SPIN      20000
#define IDLE_SLEEP_MIN 5000
#define IDLE_SLEEP     100000
#define IDLE_SLEEP_MAX 1000000

/* The packets of a burst that are looked up over IPv6. */
static __rte_noinline void pipeline_run6(struct worker *w, struct burst *b)
{
	stage_lookup6(w, b);
	profile_mark(w, SL_STAGE_LOOKUP, b->flow6.n);
	stage_forward6(w, b);
	profile_mark(w, SL_STAGE_FORWARD, b->hit6.n);
	b->again = false;
	while (b->miss6.n) {
		stage_schedule6(w, b);
		profile_mark(w, SL_STAGE_SCHEDULE, b->hit6.n);
		stage_forward6(w, b);
		profile_mark(w, SL_STAGE_FORWARD, b->hit6.n);
	}
}

/* Before the first snapshot nothing is ours, not even what an old connection would take. */
static __rte_noinline void drop_all(struct worker *w, struct burst *b)
{
	count_drop(w, SL_DROP_NO_CONFIG, b->n);
	rte_pktmbuf_free_bulk(b->pkt, b->n);
}

static void pipeline_run(struct worker *w, struct burst *b)
{
	profile_mark(w, SL_STAGE_RECEIVE, b->n);
	if (unlikely(!w->snapshot)) {
		drop_all(w, b);
		return;
	}
	stage_parse(w, b);
	if (unlikely(b->flow6.n))
		stage_parse6(w, b);
	profile_mark(w, SL_STAGE_PARSE, b->n);
	stage_lookup(w, b);
	if (unlikely(b->miss.n))
		stage_lookup64(w, b);
	profile_mark(w, SL_STAGE_LOOKUP, b->flow.n);
	stage_forward(w, b);
	profile_mark(w, SL_STAGE_FORWARD, b->sent);
	while (b->miss.n) { /* each round settles one at least: it opens, or gets its verdict */
		stage_schedule(w, b);
		profile_mark(w, SL_STAGE_SCHEDULE, b->hit.n);
		stage_forward(w, b);
		profile_mark(w, SL_STAGE_FORWARD, b->hit.n);
	}
	if (unlikely(b->flow6.n))
		pipeline_run6(w, b);
	if (unlikely(b->later.n))
		stage_later(w, b);
	stage_settle(w, b);
	profile_mark(w, SL_STAGE_SETTLE, b->n);
}

static unsigned int receive_port(struct worker *w, struct burst *b, unsigned int port)
{
	struct sl_port_stats *stats = &w->stats->port[port];
	uint64_t bytes = 0;

	b->n = rte_eth_rx_burst(w->root->port[port].port_id, (uint16_t)w->id, b->pkt, SL_BURST);
	if (!b->n)
		return 0;
	b->redirected = false;
	if (unlikely(w->slot->pool->quarantined))
		sl_pool_delivered(w->slot->pool, b->pkt, b->n);
	for (unsigned int i = 0, n = b->n; i < n; i++) {
		struct rte_mbuf *m = b->pkt[i];

		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		bytes += m->pkt_len;
		m->port = (uint16_t)port; /* ours from here on */
	}
	stats->rx_packets += b->n;
	stats->rx_bytes += bytes;
	pipeline_run(w, b);
	return b->n;
}

static unsigned int receive_redirected(struct worker *w, struct burst *b, unsigned int from)
{
	b->n = (uint16_t)sl_pool_borrow(w->slot->pool, w->slot->redirect[from], b->pkt, SL_BURST);
	if (!b->n)
		return 0;
	b->redirected = true;
	b->from = (uint8_t)from;
	for (unsigned int i = 0; i < b->n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(b->pkt[i], void *));
	w->stats->redirect_in += b->n;
	pipeline_run(w, b);
	return b->n;
}

/* Fragments that waited for the first of their datagram. They may be in buffers of any worker. */
static __rte_noinline void receive_ready(struct worker *w, struct burst *b)
{
	while ((b->n = (uint16_t)fragment_table_ready(w, b->pkt, SL_BURST))) {
		b->redirected = false;
		pipeline_run(w, b);
	}
}

static unsigned int receive_all(struct worker *w, struct burst *b)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_workers; i++)
		if (i != w->id)
			n += receive_redirected(w, b, i);
	for (unsigned int port = 0; port < w->n_ports; port++)
		n += receive_port(w, b, port);
	if (unlikely(w->fragments->n_ready))
		receive_ready(w, b);
	return n;
}

static void each_tick(struct worker *w)
{
	neigh_tick(w);
	ndp_tick(w);
	fragment_table_expire(w);
}

/* Work that follows the clock. */
static void slow_jobs(struct worker *w)
{
	uint32_t tick = w->clock.tick;
	bool fresh = clock_turn(&w->clock);

	if (unlikely(w->purge.pending))
		purge_slice(w);
	if (unlikely(w->ramp_walk.pending))
		ramp_slice(w);
	if (!fresh) {
		if (conn_sweep_behind(w))
			conn_sweep(w);
		return;
	}
	w->slot->worker.heartbeat_ns = w->clock.ns;
	drain_look(w);
	repair_settle(w);
	profile_ask(w);
	conn_sweep(w);
	if (w->clock.tick != tick && w->snapshot)
		each_tick(w);
}

static uint64_t sleep_after(uint64_t silence)
{
	uint64_t ns = RTE_MIN(silence / 32, (uint64_t)IDLE_SLEEP);

	ns = RTE_MAX(ns, silence / 1000);
	return RTE_MIN(RTE_MAX(ns, (uint64_t)IDLE_SLEEP_MIN), (uint64_t)IDLE_SLEEP_MAX);
}

/* What is done in slices: a turn does one. */
static bool slices_left(const struct worker *w)
{
	return conn_sweep_behind(w) || w->purge.pending || w->ramp_walk.pending;
}

/* `quiet_since`: TSC of the last turn that had work. */
static void idle(struct worker *w, uint64_t quiet_since)
{
	uint64_t second = w->clock.tsc_ms * 1000; /* longer silence makes no difference */
	uint64_t silence = RTE_MIN(w->clock.tsc - quiet_since, second) * 1000000 / w->clock.tsc_ms;

	if (w->root->idle_spin || silence < IDLE_SPIN || slices_left(w))
		rte_pause();
	else
		nanosleep(&(struct timespec){.tv_nsec = (long)sleep_after(silence)}, NULL);
}

static void account(struct worker *w, bool busy, uint64_t since)
{
	uint64_t now = rte_rdtsc(), spent = now - since;

	w->slot->worker.turned_tsc = now;
	w->stats->loops++;
	if (busy)
		w->stats->busy_cycles += spent;
	else
		w->stats->idle_cycles += spent;
}

static void turn(struct worker *w, struct burst *b, uint64_t *quiet_since)
{
	uint64_t since = rte_rdtsc();
	unsigned int n;

	slow_jobs(w);
	command_drain(w);
	neigh_drain_events(w);
	w->stats->buffers_returned += sl_pool_collect(w->slot->pool);
	profile_mark(w, SL_STAGE_MESSAGES, 0);
	n = receive_all(w, b);
	profile_mark(w, SL_STAGE_RECEIVE, 0); /* ports that had nothing */
	tx_flush(w);
	profile_mark(w, SL_STAGE_TRANSMIT, n);
	if (n)
		*quiet_since = w->clock.tsc;
	else
		idle(w, *quiet_since);
	profile_mark(w, SL_STAGE_IDLE, 0);
	account(w, n != 0, since);
}

void loop_first(struct worker *w)
{
	uint64_t before = w->slot->worker.turned_tsc, quiet_since = rte_rdtsc();
	struct burst b;

	turn(w, &b, &quiet_since);
	if (before)
		w->slot->worker.takeover_us =
			(w->slot->worker.turned_tsc - before) * 1000 / w->clock.tsc_ms;
}

void loop_run(struct worker *w, const volatile sig_atomic_t *stop)
{
	struct burst b;
	uint64_t quiet_since = rte_rdtsc();

	while (!*stop)
		turn(w, &b, &quiet_since);
	tx_flush(w);
}
