/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `sluice worker`: become a secondary, wait for the lease of a slot, repair what a dead
 * predecessor left, work, give the lease back. Started by the primary's supervisor: the process
 * that works and its standby are the same program at different places in this file.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
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

#include "secondary/checkpoint.h"
#include "secondary/fragment_table.h"
#include "secondary/loop.h"
#include "secondary/takeover.h"
#include "secondary/template_file.h"
#include "secondary/worker.h"

SL_LOG_TYPE(worker_log, "sluice.worker");

#define TIMER_SLACK_NS 1000 /* short sleeps are meant */

static volatile sig_atomic_t stop; /* the signal that said so */
static struct worker self;

struct options {
	struct sl_eal_secondary eal;
	unsigned int id;
	unsigned int cpu;
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
	if (o->eal.lcore - SL_LCORE_WORKER(o->id, 0) > 1) {
		fprintf(stderr, "sluice worker: the lcore ids of slot %u are %u and %u\n", o->id,
			SL_LCORE_WORKER(o->id, 0), SL_LCORE_WORKER(o->id, 1));
		return 2;
	}
	o->cpu = cpu;
	return 0;
}

static void on_signal(int sig)
{
	stop = sig;
}

static void catch_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
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

/*
 * Only now: a standby that initialises shall not take time from the worker beside which it
 * will wait.
 */
static int pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (!sched_setaffinity(0, sizeof(set), &set))
		return 0;
	sl_log(worker_log, ERR, "CPU %u: %s", cpu, strerror(errno));
	return -errno;
}

/*
 * Told to end: SIGUSR1 means that another process waits to go on, anything else an end for good.
 * Nothing is said before the lease is free.
 */
static void leave(struct worker *w)
{
	struct sl_worker_slot *slot = w->slot;

	if (stop != SIGUSR1) {
		neigh_drop_waiting(w);
		fragment_table_drop_waiting(w);
		checkpoint_write(w);
		template_file_write(w);
	}
	slot->worker.running = 0;
	slot->worker.snapshot_in_use = 0;
	sl_lease_release(&slot->lease);
	sl_log(worker_log, INFO, "worker %u: %s", w->id,
	       stop == SIGUSR1 ? "handed over" : "ended as asked");
}

static int work(struct sl_root *root, const struct options *o)
{
	struct clock now;
	uint64_t got_ns;
	bool owner_died;
	int rc = takeover_prepare(&self, root, o->id);

	if (rc) {
		sl_log(worker_log, ERR, "worker %u: %s", o->id, strerror(-rc));
		return 1;
	}
	rc = takeover_wait(&self, o->eal.lcore - SL_LCORE_WORKER(o->id, 0), &stop, &owner_died);
	if (rc == -ECANCELED)
		return 0;
	if (rc) {
		sl_log(worker_log, ERR, "worker %u: lease: %s", o->id, strerror(-rc));
		return 1;
	}
	takeover_bind(&self, owner_died);
	got_ns = self.clock.ns;
	loop_first(&self);
	takeover_end();
	clock_init(&now);
	sl_log(worker_log, INFO,
	       "worker %u: running, %u connections, snapshot %" PRIu64 ", %" PRIu64
	       " us after it got the lease, %" PRIu64 " us after the last one's last turn",
	       o->id, conn_count(&self.conns) + conn_count(&self.conns6),
	       self.slot->worker.snapshot_in_use, (now.ns - got_ns) / 1000,
	       self.slot->worker.takeover_us);
	loop_run(&self, &stop);
	leave(&self);
	return 0;
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
	o.eal.cpu = -1;
	if (sl_eal_init_secondary(&o.eal) || pin(o.cpu))
		return 1;
	root = sl_root_attach(why, sizeof(why));
	if (!root) {
		rc = errno == EPROTONOSUPPORT ? SL_EXIT_ABI : 1;
		sl_log(worker_log, ERR, "worker %u: %s", o.id, why);
		return rc;
	}
	if (o.id >= root->n_workers) {
		sl_log(worker_log, ERR, "worker %u: there are slots 0 to %u only", o.id,
		       root->n_workers - 1);
		return 2;
	}
	if (!ports_present(root))
		return 1;
	rc = work(root, &o);
	/* no rte_eal_cleanup: a death inside it would leave the library's shared locks taken */
	fflush(NULL);
	_exit(rc);
}
