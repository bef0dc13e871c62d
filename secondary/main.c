/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `sluice worker`: become a secondary, take the lease of a slot, repair what a dead
 * predecessor left, work, give the lease back. Started by the primary's supervisor.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include <sluice/eal.h>
#include <sluice/log.h>
#include <sluice/role.h>
#include <sluice/shm.h>

#include "secondary/command.h"
#include "secondary/loop.h"
#include "secondary/repair.h"
#include "secondary/worker.h"

SL_LOG_TYPE(worker_log, "sluice.worker");

#define LEASE_WAIT_MS  10000
#define TIMER_SLACK_NS 1000 /* short sleeps are meant */

static volatile sig_atomic_t stop;
static struct worker self;

struct options {
	struct sl_eal_secondary eal;
	unsigned int id;
};

static void usage(FILE *out)
{
	fprintf(out,
		"usage: sluice worker --id N --lcore N --cpu N [--instance NAME]\n"
		"                     [--runtime-dir DIR]\n"
		"\n"
		"The data path on one CPU. Started by `sluice primary`, which gives each\n"
		"worker its slot, lcore id and CPU; by hand only to debug.\n"
		"\n"
		"  --id N             worker slot\n"
		"  --lcore N          DPDK lcore id, distinct from every other process's\n"
		"  --cpu N            CPU to pin to\n"
		"  --instance NAME    the appliance's name (default sluice)\n"
		"  --runtime-dir DIR  default " SL_DEFAULT_RUNTIME_DIR "\n"
		"  --log-level TYPE:LEVEL  for example 'sluice.worker:debug'; may be repeated\n");
}

static bool number(const char *text, unsigned int max, unsigned int *value)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || end == text || *end || v > max || text[0] == '-')
		return false;
	*value = (unsigned int)v;
	return true;
}

/* 0 go on; 1 help was asked for; 2 wrong usage, said. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"id", required_argument, NULL, 'i'},
		{"lcore", required_argument, NULL, 'l'},
		{"cpu", required_argument, NULL, 'c'},
		{"instance", required_argument, NULL, 'n'},
		{"runtime-dir", required_argument, NULL, 'r'},
		{"log-level", required_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	unsigned int cpu = UINT32_MAX, c;
	int opt;

	*o = (struct options){
		.eal = {.program = "sluice-worker",
			.instance = "sluice",
			.runtime_dir = SL_DEFAULT_RUNTIME_DIR,
			.lcore = UINT32_MAX},
		.id = UINT32_MAX,
	};
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		bool good = true;

		switch (opt) {
		case 'i': good = number(optarg, SL_MAX_WORKERS - 1, &o->id); break;
		case 'l': good = number(optarg, SL_LCORE_CTRL - 1, &o->eal.lcore); break;
		case 'c': good = number(optarg, 1023, &cpu); break;
		case 'n': o->eal.instance = optarg; break;
		case 'r': o->eal.runtime_dir = optarg; break;
		case 'g':
			if (sl_log_set_level(optarg))
				break;
			fprintf(stderr, "sluice worker: '%s' " SL_LOG_LEVEL_WRONG "\n", optarg);
			return 2;
		case 'h': usage(stdout); return 1;
		default: usage(stderr); return 2;
		}
		if (!good) {
			fprintf(stderr, "sluice worker: %s is not a number in range\n", optarg);
			return 2;
		}
	}
	c = o->id == UINT32_MAX || o->eal.lcore == UINT32_MAX || cpu == UINT32_MAX;
	if (c || optind < argc) {
		usage(stderr);
		return 2;
	}
	o->eal.cpu = (int)cpu;
	return 0;
}

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void catch_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* The devices are here, as the primary set them up. */
static bool ports_present(const struct sl_root *root)
{
	for (unsigned int p = 0; p < root->n_ports; p++) {
		if (rte_eth_dev_is_valid_port(root->port[p].port_id))
			continue;
		sl_log(worker_log, ERR, "port %s is not there: has the primary ended?",
		       root->port[p].name);
		return false;
	}
	return true;
}

/* Bind the process to its slot; the lease is held. */
static int bind_slot(struct worker *w, struct sl_root *root, unsigned int id, bool owner_died)
{
	int rc;

	w->root = root;
	w->slot = root->worker[id];
	w->stats = &w->slot->stats;
	w->id = id;
	w->n_workers = root->n_workers;
	w->n_ports = root->n_ports;
	for (unsigned int p = 0; p < w->n_ports; p++) {
		memcpy(&w->port_mac[p], &root->port[p].mac, sizeof(root->port[p].mac));
		w->frame_max[p] = root->port[p].mtu + RTE_ETHER_HDR_LEN;
	}
	clock_init(&w->clock);
	sl_pool_act_as(id);
	conn_attach(&w->conns, &w->slot->conns, root->seed);
	rc = neigh_attach(w);
	if (!rc && owner_died)
		rc = repair_slot(w);
	return rc;
}

static void announce(struct worker *w)
{
	struct sl_worker_slot *slot = w->slot;

	slot->worker.pid = (uint32_t)getpid();
	slot->worker.incarnation++;
	slot->worker.heartbeat_ns = w->clock.ns;
	command_switch_snapshot(w);
	__atomic_store_n(&slot->worker.running, 1, __ATOMIC_RELEASE);
	sl_log(worker_log, INFO, "worker %u: running, %u connections, snapshot %" PRIu64, w->id,
	       conn_count(&w->conns), slot->worker.snapshot_in_use);
}

static int work(struct sl_root *root, unsigned int id)
{
	struct sl_worker_slot *slot = root->worker[id];
	bool owner_died;
	int rc = sl_lease_acquire(&slot->lease, LEASE_WAIT_MS, &owner_died);

	if (rc) {
		sl_log(worker_log, ERR, "worker %u: the lease is held by process %u: %s", id,
		       slot->worker.pid, strerror(-rc));
		return 1;
	}
	rc = bind_slot(&self, root, id, owner_died);
	if (rc) {
		sl_log(worker_log, ERR, "worker %u: %s", id, strerror(-rc));
	} else {
		announce(&self);
		loop_run(&self, &stop);
		slot->worker.running = 0;
		slot->worker.snapshot_in_use = 0;
		sl_log(worker_log, INFO, "worker %u: ended as asked", id);
	}
	sl_lease_release(&slot->lease);
	return rc ? 1 : 0;
}

int sl_worker_main(int argc, char **argv)
{
	struct options o;
	struct sl_root *root;
	char why[256];
	int rc = parse_options(argc, argv, &o);

	if (rc)
		return rc == 1 ? 0 : rc;
	catch_signals();
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
	if (sl_eal_init_secondary(&o.eal))
		return 1;
	root = sl_root_attach(why, sizeof(why));
	if (!root) {
		sl_log(worker_log, ERR, "worker %u: %s", o.id, why);
		return 1;
	}
	if (o.id >= root->n_workers) {
		sl_log(worker_log, ERR, "worker %u: there are slots 0 to %u only", o.id,
		       root->n_workers - 1);
		return 2;
	}
	if (!ports_present(root))
		return 1;
	rc = work(root, o.id);
	/* no rte_eal_cleanup: a death inside it would leave the library's shared locks taken */
	fflush(NULL);
	_exit(rc);
}
