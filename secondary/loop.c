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
#include "secondary/profile.h"
#include "secondary/repair.h"
#include "secondary/worker.h"

/* Idle turns before the first sleep, and the bounds of a sleep. */
#define IDLE_SPINS     256
#define IDLE_SLEEP_MIN 5000   /* ns */
#define IDLE_SLEEP_MAX 100000 /* ns */

static void pipeline_run(struct worker *w, struct burst *b)
{
	profile_mark(w, SL_STAGE_RECEIVE, b->n);
	stage_parse(w, b);
	profile_mark(w, SL_STAGE_PARSE, b->n);
	stage_lookup(w, b);
	profile_mark(w, SL_STAGE_LOOKUP, b->flow.n);
	stage_forward(w, b);
	profile_mark(w, SL_STAGE_FORWARD, b->sent);
	while (b->miss.n) { /* each round settles one at least: it opens, or gets its verdict */
		stage_schedule(w, b);
		profile_mark(w, SL_STAGE_SCHEDULE, b->hit.n);
		stage_forward(w, b);
		profile_mark(w, SL_STAGE_FORWARD, b->hit.n);
	}
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
		rte_prefetch0(rte_pktmbuf_mtod(b->pkt[i], void *));
		b->pkt[i]->port = (uint16_t)port; /* ours from here on */
		bytes += b->pkt[i]->pkt_len;
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
	for (unsigned int i = 0; i < b->n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(b->pkt[i], void *));
	w->stats->redirect_in += b->n;
	pipeline_run(w, b);
	return b->n;
}

static unsigned int receive_all(struct worker *w, struct burst *b)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_workers; i++)
		if (i != w->id)
			n += receive_redirected(w, b, i);
	for (unsigned int port = 0; port < w->n_ports; port++)
		n += receive_port(w, b, port);
	return n;
}

/* Work that follows the clock. */
static void slow_jobs(struct worker *w)
{
	uint32_t tick = w->clock.tick;

	if (!clock_turn(&w->clock)) {
		if (conn_sweep_behind(&w->conns))
			conn_sweep(w);
		return;
	}
	w->slot->worker.heartbeat_ns = w->clock.ns;
	repair_settle(w);
	profile_ask(w);
	conn_sweep(w);
	if (w->clock.tick != tick && w->snapshot)
		neigh_tick(w);
}

/* The longer nothing came, the longer the sleep, to a bound. */
static void idle(struct worker *w, uint32_t *idle_turns)
{
	uint64_t ns;

	if (w->root->idle_spin || ++*idle_turns <= IDLE_SPINS) {
		rte_pause();
		return;
	}
	ns = (uint64_t)IDLE_SLEEP_MIN * (*idle_turns - IDLE_SPINS);
	ns = RTE_MIN(ns, (uint64_t)IDLE_SLEEP_MAX);
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static void account(struct worker *w, bool busy, uint64_t since)
{
	uint64_t spent = rte_rdtsc() - since;

	w->stats->loops++;
	if (busy)
		w->stats->busy_cycles += spent;
	else
		w->stats->idle_cycles += spent;
}

void loop_run(struct worker *w, const volatile sig_atomic_t *stop)
{
	struct burst b;
	uint32_t idle_turns = 0;

	while (!*stop) {
		uint64_t since = rte_rdtsc();
		unsigned int n;

		slow_jobs(w);
		command_drain(w);
		neigh_drain_events(w);
		w->stats->buffers_returned += sl_pool_collect(w->slot->pool);
		profile_mark(w, SL_STAGE_MESSAGES, 0);
		n = receive_all(w, &b);
		profile_mark(w, SL_STAGE_RECEIVE, 0); /* ports that had nothing */
		tx_flush(w);
		profile_mark(w, SL_STAGE_TRANSMIT, n);
		if (n)
			idle_turns = 0;
		else
			idle(w, &idle_turns);
		profile_mark(w, SL_STAGE_IDLE, 0);
		account(w, n != 0, since);
	}
	neigh_drop_waiting(w);
	tx_flush(w);
}
