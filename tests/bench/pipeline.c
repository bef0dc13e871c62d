/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's loop over the generator, without primary or devices, for counting instructions:
 *
 *     pipeline TASK FLOWS PACKETS    packets of connections that are open
 *     pipeline TASK CONNECTIONS      connections opened, and lived to their end
 *
 * TASK is tcp or udp, FullNAT; or udp-MODE, by the mode's name in the API, of whose backends the
 * direct ones do not answer through us; or udp-requests, which is FullNAT without answers. With
 * tcp6 and udp6 clients and backends are over IPv6, with udp64 the clients alone.
 *
 * Instructions are repeatable where time is not; tests/bench/test_instructions runs this under
 * callgrind, collecting only inside loop_run and subtracting the generator's functions.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "secondary/loop.h"
#include "tests/bench/gen.h"
#include "tests/unit/lib/bed.h"

#define BUFFERS  8191
#define BACKENDS 16

static volatile sig_atomic_t stop;
static bool backends6;
static uint64_t left; /* packets of open connections still to receive; 0: until all is done */

static uint16_t receive(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	uint16_t got = gen_receive((unsigned int)(uintptr_t)queue - 1, pkt, n);

	if (gen_phase() == GEN_RUNNING && left) {
		left -= RTE_MIN(left, (uint64_t)got);
		stop = left == 0;
	} else if (gen_phase() == GEN_DONE) {
		stop = 1;
	}
	return got;
}

static uint16_t transmit(void *queue, struct rte_mbuf **pkt, uint16_t n)
{
	return gen_send((unsigned int)(uintptr_t)queue - 1, pkt, n);
}

static int make_pool(struct bed *b)
{
	b->slot.pool = calloc(1, sl_pool_size(BUFFERS));
	if (!b->slot.pool)
		return -1;
	b->slot.pool->capacity = BUFFERS;
	b->slot.mempool = sl_pool_create("pool", b->slot.pool, 2176, SOCKET_ID_ANY);
	sl_pool_act_as(0);
	return b->slot.mempool ? 0 : -1;
}

/* What is behind protocol and families. */
static const char *read_families(const char *rest, struct gen_config *config)
{
	config->ipv6 = *rest == '6';
	backends6 = config->ipv6 && rest[1] != '4';
	if (!config->ipv6)
		return rest;
	config->frame = 80;
	return rest + (backends6 ? 1 : 2);
}

static bool read_task(const char *task, struct gen_config *config, enum sl_mode *mode)
{
	const char *rest = read_families(task + 3, config);

	config->tcp = !strncmp(task, "tcp", 3);
	config->oneway = !strcmp(rest, "-requests");
	*mode = SL_MODE_FULLNAT;
	if (!*rest || config->oneway)
		return true;
	while (*mode < SL_MODE_MAX && strcmp(rest + 1, sl_mode_names[*mode]) != 0)
		++*mode;
	if (*mode == SL_MODE_MAX)
		return false;
	config->oneway = sl_mode_flags[*mode] & SL_CONN_F_DIRECT;
	return true;
}

static void serve(struct bed *b, enum sl_mode mode, bool clients6)
{
	struct sl_backend *backend;

	bed_serve_families(b, BACKENDS, clients6, backends6);
	backend = (struct sl_backend *)((char *)b->served + b->served->backends.offset);
	for (int i = 0; i < BACKENDS; i++)
		backend[i].mode = (uint8_t)mode;
}

int main(int argc, char **argv)
{
	char *args[] = {
		argv[0],          "--no-huge",  "--no-shconf",       "-m", "128", "--no-pci",
		"--no-telemetry", "--lcores=0", "--log-level=error", NULL};
	struct gen_config config = {
		.load = GEN_STEADY, .order = GEN_UNIFORM, .arms = 2, .frame = 60};
	enum sl_mode mode;
	struct bed *b;

	if (argc < 3 || strlen(argv[1]) < 3 || !read_task(argv[1], &config, &mode) ||
	    rte_eal_init(9, args) < 0)
		return 2;
	config.flows = (uint32_t)strtoul(argv[2], NULL, 10);
	if (argc > 3)
		left = strtoull(argv[3], NULL, 10);
	else
		config.load = GEN_NEW;
	b = bed_new(1, 1u << 17, 1u << 16);
	if (make_pool(b))
		return 2;
	b->worker.clock.tsc_due = UINT64_MAX; /* time stands still: what follows the clock, rests */
	b->worker.clock.tsc_ms = 1;
	b->root.idle_spin = 1;
	bed_ports(b, receive, transmit);
	serve(b, mode, config.ipv6);
	gen_init(&config, &b->worker);
	loop_run(&b->worker, &stop);
	for (int i = 0; i < SL_DROP_MAX; i++)
		if (b->slot.stats.drops[i])
			printf("dropped: %s %lu\n", sl_drop_texts[i].name, b->slot.stats.drops[i]);
	printf("packets %lu\n",
	       b->slot.stats.port[0].rx_packets + b->slot.stats.port[1].rx_packets);
	return 0;
}
